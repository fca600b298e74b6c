"""A place on the Hub: parsed once from a url or a DVC path, printed back as either."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from huggingface_hub import constants
from huggingface_hub.errors import HfUriError
from huggingface_hub.utils import parse_hf_uri

from dvc_hf.hub import names
from dvc_hf.hub.names import PROTOCOL
from dvc_hf.masks import mask_secrets

DEFAULT_BRANCH = "main"
_HUB = "https://huggingface.co"
_KINDS = {"datasets": "dataset", "models": "model", "spaces": "space", "buckets": "bucket"}
_PREFIXES = {kind: prefix for prefix, kind in _KINDS.items()}
_PATH = re.compile(r"(datasets|models|spaces|buckets)/([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.*))?", re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_commit(revision: str | None) -> bool:
    """Whether a revision is a commit hash: the only thing that counts as a version."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


@dataclass(frozen=True)
class Location:
    """A repository or bucket, a revision of it, and a path in it."""

    repo_type: str
    repo_id: str
    revision: str | None = None
    path_in_repo: str = ""

    def __post_init__(self) -> None:
        """Refuse names that a request would carry to another place.

        Raises:
            ValueError: owner, name or revision lead out.
        """
        for part in (self.repo_id, self.revision):
            if part is not None and names.leads_out(part):
                raise ValueError(_refusal(self.url, f"{names.quoted(part)} leads out of it."))

    def __str__(self) -> str:
        """Print the path that DVC keeps: ``datasets/OWNER/NAME[@REVISION][/PATH]``."""
        at = "" if self.revision is None else "@" + quote(self.revision, safe="")
        path = f"/{self.path_in_repo}" if self.path_in_repo else ""
        return f"{_PREFIXES[self.repo_type]}/{self.repo_id}{at}{path}"

    @property
    def url(self) -> str:
        """The ``hf://`` url."""
        return PROTOCOL + str(self)

    @property
    def kind(self) -> str:
        """What to call it in a message: ``repository`` or ``bucket``."""
        return "bucket" if self.repo_type == "bucket" else "repository"

    @property
    def branch(self) -> str:
        """The revision that a request names."""
        return self.revision or DEFAULT_BRANCH

    @property
    def version(self) -> str | None:
        """The commit hash, if the revision is one."""
        return self.revision if is_commit(self.revision) else None

    @property
    def root(self) -> "Location":
        """The same repository at the same revision, without a path."""
        return replace(self, path_in_repo="")

    def at(self, revision: str | None) -> "Location":
        """Name the same path at another revision."""
        return replace(self, revision=None if revision == DEFAULT_BRANCH else revision)


def parse_path(path: str) -> Location:
    """Read a path as DVC keeps it; a url is read too."""
    match = _PATH.fullmatch(path.removeprefix(PROTOCOL).rstrip("/"))
    if not match:
        return parse_url(PROTOCOL + path.removeprefix(PROTOCOL))
    prefix, repo_id, revision, path_in_repo = match.groups()
    revision = None if revision is None else unquote(revision)
    if revision in ("", DEFAULT_BRANCH):
        revision = None
    return Location(_KINDS[prefix], repo_id, revision, path_in_repo or "")


def parse_url(url: str) -> Location:
    """Read what a user wrote; refuse what names no repository.

    Raises:
        ValueError: the url is not ``hf://[datasets/|models/|spaces/|buckets/]OWNER/NAME[@BRANCH][/PATH]``.
    """
    try:
        uri = parse_hf_uri(url.rstrip("/"))
    except HfUriError as error:
        raise ValueError(_refusal(url, str(error.msg))) from None
    if uri.id.partition("/")[0] in constants.HF_URL_HOSTS:
        raise ValueError(_refusal(url, "the host is left out after hf://."))
    if uri.type not in _PREFIXES:
        raise ValueError(_refusal(url, f"a {uri.type} cannot hold DVC data."))
    revision = None if uri.revision == DEFAULT_BRANCH else uri.revision
    return Location(uri.type, uri.id, revision, uri.path_in_repo.strip("/"))


def _refusal(url: str, reason: str) -> str:
    form = f"{PROTOCOL}[datasets/|models/|spaces/|buckets/]OWNER/NAME[@BRANCH][/PATH]"
    place = names.quoted(mask_secrets(url))
    return f"{place} names no place on the Hub: {mask_secrets(reason)} Write it as {form}, like {_EXAMPLE}."


def hub_url_of(address: str) -> Location | None:
    """The place that a browser's address shows, if it is one on the Hub."""
    address = re.sub(r"^(https?)://[^/\s]*@", r"\1://", address)  # as git takes a user and a token
    own = constants.ENDPOINT.rstrip("/")
    if address.startswith(f"{own}/"):  # another Hub shows its repositories under the same paths
        address = f"{_HUB}/{address[len(own) + 1 :]}"
    if not any(address.startswith(f"https://{host}/") for host in constants.HF_URL_HOSTS):
        return None
    try:
        return replace(parse_url(address), path_in_repo="")
    except ValueError:
        return None


_EXAMPLE = "hf://datasets/OWNER/NAME"
