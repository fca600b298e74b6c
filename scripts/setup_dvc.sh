#!/usr/bin/env bash
# Set a folder up so that `dvc push` publishes its checkpoints/ on the Hugging Face Hub.
# Run it from the project's folder; running it again changes nothing.
set -euo pipefail

REMOTE=huggingface
DEFAULT_REPO=datasets/ninanor/beats-checkpoints
FOLDER=checkpoints

usage() {
    cat <<EOF
Usage: $0 [REPO] [ENDPOINT]

  REPO      where to publish: datasets/OWNER/NAME, models/OWNER/NAME, hf://... or the repository's web address
            (default: $DEFAULT_REPO)
  ENDPOINT  address of another Hub, such as http://127.0.0.1:8000                (default: the Hugging Face Hub)
EOF
}

fail() {
    printf 'setup_dvc: %s\n' "$@" >&2
    exit 1
}

# The hf:// url of what was given, or nothing where it names no repository.
url_of() { # REPO ENDPOINT
    local given=${1%/} host
    for host in https://huggingface.co https://hf.co "${2%/}"; do
        [ -n "$host" ] || continue
        if [[ $given == "$host"/* ]]; then
            given=$(sed -E 's#/(tree|blob|resolve|settings|discussions|commits?)(/.*)?$##' <<<"${given#"$host"/}")
            [[ $given =~ ^(datasets|models|spaces|buckets)/ ]] || given=models/$given
        fi
    done
    given=${given#hf://}
    # A single name after `hf://`, as in hf://OWNER/NAME, is a model, as for the Hub's own tools.
    [[ $1 == hf://* && ! $given =~ ^(datasets|models|spaces|buckets)(/|$) ]] && given=models/$given
    local name='[A-Za-z0-9][A-Za-z0-9._-]*'
    if [[ $given =~ ^(datasets|models|spaces|buckets)/$name/$name(@[^/[:space:]]+)?(/[^[:space:]]+)?$ ]]; then
        echo "hf://$given"
    fi
}

check_repo() {
    [ -z "$url" ] || return 0
    local advice="Write it as datasets/OWNER/NAME or models/OWNER/NAME."
    [[ $repo =~ ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$ && ! $repo =~ ^(datasets|models|spaces|buckets)/ ]] &&
        advice="Say of which kind it is: $0 datasets/$repo, or $0 models/$repo"
    fail "'$repo' names no repository on the Hub; nothing was changed." "$advice"
}

check_tools() {
    command -v dvc >/dev/null || fail "DVC is not installed. Install it with: pip install dvc dvc-hf"
    # Asked from an empty folder: a config with an hf:// url is an error where dvc-hf is missing.
    local empty
    empty=$(mktemp -d)
    local supported
    supported=$(cd "$empty" && dvc doctor 2>/dev/null || true)
    rmdir "$empty"
    case "$supported" in
        *"hf ("*) ;;
        *) fail "DVC is here ($(command -v dvc)) but cannot reach the Hub: the plugin dvc-hf is missing." \
            "Install it beside DVC with: pip install dvc-hf" ;;
    esac
}

enter_project() {
    if root=$(dvc root 2>/dev/null); then
        cd "$root"
    elif root=$(git rev-parse --show-toplevel 2>/dev/null); then
        cd "$root"
        dvc init --quiet
    else
        dvc init --quiet --no-scm
    fi
}

# Ask first, write only what differs: the config stays byte for byte the same on a second run.
setting() { # SECTION.OPTION VALUE
    local now
    now=$(dvc config "$1" 2>/dev/null || true)
    [ "$now" = "$2" ] || dvc config "$1" "$2"
}

set_remote() {
    if [ -z "$(dvc config "remote.$REMOTE.url" 2>/dev/null || true)" ]; then
        dvc remote add --quiet "$REMOTE" "$url"
    fi
    setting "remote.$REMOTE.url" "$url"
    setting "remote.$REMOTE.publish" "$FOLDER"
    if [ -n "$endpoint" ]; then
        setting "remote.$REMOTE.endpointurl" "$endpoint"
        # Once more outside of git: a token goes only to a Hub that its user named, not to one of a clone.
        [ "$(dvc config --local "remote.$REMOTE.endpointurl" 2>/dev/null || true)" = "$endpoint" ] ||
            dvc config --local "remote.$REMOTE.endpointurl" "$endpoint"
    fi
    # Somebody else's default remote stays; DVC answers an option that is not set with an empty line.
    [ -n "$(dvc config core.remote 2>/dev/null || true)" ] || dvc config core.remote "$REMOTE"
}

holds_files() {
    [ -d "$FOLDER" ] && [ -n "$(find "$FOLDER" -type f ! -name .gitignore -print | head -n 1)" ]
}

# The next commit must carry the remote: a clone that does not know it has nowhere to pull from.
stage_remote() {
    git rev-parse --git-dir >/dev/null 2>&1 || return 0
    git add .dvc/config
}

track() {
    mkdir -p "$FOLDER"
    holds_files || return 0
    if [ ! -e "$FOLDER/README.md" ] && command -v beats >/dev/null; then
        beats card "$FOLDER" >/dev/null
    fi
    dvc add --quiet "$FOLDER"
}

next_steps() {
    local default push="dvc push"
    default=$(dvc config core.remote)
    [ "$default" = "$REMOTE" ] || push="dvc push -r $REMOTE"
    echo "The remote '$REMOTE' is $url${endpoint:+ at $endpoint}."
    [ "$default" = "$REMOTE" ] || echo "Your default remote stays '$default'."
    echo "Next:"
    if ! holds_files; then
        echo "  put your checkpoint files into $FOLDER/"
        echo "  beats card $FOLDER/                      # the README.md that the Hub shows (from beats-trainer)"
    fi
    echo "  export HF_TOKEN=...                      # or: hf auth login"
    echo "  dvc add $FOLDER/"
    if git rev-parse --git-dir >/dev/null 2>&1; then
        echo "  git add $FOLDER.dvc .gitignore .dvc/config"
        echo "  git commit -m \"Add BEATs checkpoints to DVC tracking\""
        echo "  $push"
        echo "  git push"
    else
        echo "  $push"
    fi
}

case "${1:-}" in
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
esac
[ $# -le 2 ] || { usage >&2 && exit 2; }

repo=${1:-$DEFAULT_REPO}
endpoint=${2:-}
url=$(url_of "$repo" "$endpoint")

check_repo
check_tools
enter_project
set_remote
stage_remote
track
next_steps
