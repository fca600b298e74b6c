"""Trees of a revision: pages of entries, and facts about given paths."""

from itertools import islice
from typing import Any
from urllib.parse import urlencode

import pygit2
from starlette.responses import JSONResponse
from starlette.routing import Route

from minihub.errors import TooLargeError
from minihub.git.history import last_commits
from minihub.git.repos import Repo
from minihub.git.trees import TreeEntry, entry_at, folder_at, walk_tree
from minihub.names import folder_path, repo_path
from minihub.web.call import REPO_API, Call, read_revision, route
from minihub.web.routes.description import entry_json

ENTRIES_PER_PAGE = 1000
EXPANDED_PER_PAGE = 50
MAX_PATHS = 1000


def tree(call: Call) -> Any:
    """Entries of a folder, in pages."""
    expand = call.flag("expand")
    most = EXPANDED_PER_PAGE if expand else ENTRIES_PER_PAGE
    limit, after = call.number("limit", most, most), folder_path(call.query("cursor"))
    repo = call.repo()
    with call.git(repo) as git:
        commit = read_revision(call, git)
        folder = folder_path(call.request.path_params.get("path", ""))
        prefix = f"{folder}/" if folder else ""
        entries = walk_tree(folder_at(commit, folder), prefix, recursive=call.flag("recursive"), after=after)
        page = list(islice(entries, limit + 1))
        response = JSONResponse(_entries(call, repo, git, commit, page[:limit], expand=expand))
    if len(page) > limit:
        cursor = page[limit - 1].path.removeprefix(prefix)
        query = [(k, v) for k, v in call.request.query_params.multi_items() if k != "cursor"]
        response.headers["Link"] = f'<{call.here}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
    return response


def paths_info(call: Call) -> Any:
    """Facts about given paths; those that do not exist are left out."""
    form = call.form()
    paths = [str(path) for path in form.get("paths", [])]
    refuse_many(paths)
    expand = [str(value).lower() for value in form.get("expand", [])][:1] == ["true"]
    repo = call.repo()
    with call.git(repo) as git:
        commit = read_revision(call, git)
        found = [entry_at(commit.tree, repo_path(path.strip("/"))) for path in paths if path.strip("/")]
        return _entries(call, repo, git, commit, [entry for entry in found if entry], expand=expand)


def refuse_many(paths: list[Any]) -> None:
    """Refuse a question about more paths than one answer is made for.

    Raises:
        TooLargeError: it says how many may be asked for.
    """
    if len(paths) > MAX_PATHS:
        message = f"{len(paths)} paths were asked for at once: at most {MAX_PATHS}. Ask in parts."
        raise TooLargeError(message)


def _entries(
    call: Call,
    repo: Repo,
    git: pygit2.Repository,
    commit: pygit2.Commit,
    entries: list[TreeEntry],
    *,
    expand: bool,
) -> list[dict[str, Any]]:
    answers = [entry_json(entry, _xet_hash(call, repo, entry)) for entry in entries]
    if expand:
        changed = last_commits(git, commit, [entry.path for entry in entries])
        for answer in answers:
            answer["lastCommit"] = changed[answer["path"]]
            if answer["type"] == "file":
                answer["securityFileStatus"] = {
                    "status": "unscanned",
                    "avScan": None,
                    "pickleImportScan": None,
                }
    return answers


def _xet_hash(call: Call, repo: Repo, entry: TreeEntry) -> str:
    return call.state.contents.xet_hash(repo.key, entry.pointer.oid) if entry.pointer else ""


ROUTES = [
    Route(REPO_API + "/tree/{rev:revision}", route(tree), methods=["GET"]),
    Route(REPO_API + "/tree/{rev:revision}/{path:rest}", route(tree), methods=["GET"]),
    Route(REPO_API + "/paths-info/{rev:revision}", route(paths_info), methods=["POST"]),
]
