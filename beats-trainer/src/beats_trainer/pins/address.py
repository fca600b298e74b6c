"""Where a file lies on a Hub: `hf://[datasets/|models/|spaces/]OWNER/NAME[@REVISION]/PATH`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import PureWindowsPath
from urllib.parse import unquote

from beats_trainer.errors import PinError
from beats_trainer.foreign.measure import shown
from beats_trainer.foreign.texts import Field
from beats_trainer.pins.digest import GIT_SHA1
from beats_trainer.pins.origin import parse_endpoint

REPO_TYPES = {"datasets": "dataset", "models": "model", "spaces": "space"}
PREFIXES = {"dataset": "datasets/", "model": "", "space": "spaces/"}
SCHEME = "hf://"
ADDRESS = "an address hf://[datasets/]OWNER/NAME[@REVISION][/PATH]"
# As on the Hub; the cache divides owner and name by two dashes, so that no name may hold them.
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]{0,94}[A-Za-z0-9_])?")
NO_NAME = re.compile(r".*(?:--|\.\.|\.git$)")
COMMIT_HASH = GIT_SHA1
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
NO_REVISION = re.compile(r"[ ~^:?*\[]|\.\.|@\{")  # what git has in no name of a branch or tag
LONGEST = 1_000  # characters of a path
SPECIAL_REVISION = re.compile(r"(refs/(?:pr|convert)/[\w\-]+)(?:/(.*))?")


@dataclass(frozen=True)
class Place:
    """One file, or the folder of a repository, on a Hub.

    Whoever holds one may make paths and addresses of its parts: none of them leads anywhere else.

    Args:
        endpoint: The address of the Hub; empty means the default one.
        by_user: The user names that address, and no file that comes with a repository does.

    Raises:
        PinError: A part is none that a place may have.
    """

    repo_id: str
    path: str = ""
    repo_type: str = "model"
    revision: str = "main"
    endpoint: str = ""
    by_user: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not _is_repository(self.repo_id) or self.repo_type not in PREFIXES:
            raise _no_repository(self.repo_id)
        if self.path:
            check_path(self.path, f"the path of a place in {self.repo_id}")
        check_revision(self.revision, self.repo_id)
        if self.endpoint:
            parse_endpoint(self.endpoint, f"the endpoint of {self.repo_id}")

    def __str__(self) -> str:
        revision = "" if self.revision == "main" else f"@{self.revision}"
        path = f"/{self.path}" if self.path else ""
        return f"{SCHEME}{PREFIXES[self.repo_type]}{self.repo_id}{revision}{path}"

    def join(self, path: str) -> Place:
        """The place of `path` below this one."""
        return replace(self, path="/".join(part for part in (self.path.strip("/"), path) if part))

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit hash, which never moves."""
        return COMMIT_HASH.fullmatch(self.revision) is not None


def parse_place(text: str, *, endpoint: str = "", by_user: bool = False) -> Place:
    """Reads an `hf://` url.

    Raises:
        PinError: It is none, or it names no `OWNER/NAME`.
    """
    if not text.startswith(SCHEME):
        message = (
            f"not a Hub address: {shown(text)}. Expected {SCHEME}[datasets/]OWNER/NAME[@REVISION][/PATH]."
        )
        raise PinError(message)
    repo_type, rest = _split_type(text.removeprefix(SCHEME))
    owner, _, tail = rest.partition("/")
    name, revision, path = _split_revision(tail)
    repo_id = f"{owner}/{name}"
    if not _is_repository(repo_id):
        raise _no_repository(text)
    return Place(repo_id, path.strip("/"), repo_type, revision, endpoint.rstrip("/"), by_user)


def place_of(url: Field, endpoint: str = "", *, by_user: bool = False) -> Place:
    """The place that a field of a foreign text names.

    Raises:
        PinError: It names none; the message names file and field.
    """
    try:
        return parse_place(url.text(), endpoint=endpoint, by_user=by_user)
    except PinError as error:
        url.refuse(f"{ADDRESS} ({str(error)[:200]})", error)


def _is_repository(repo_id: str) -> bool:
    names = repo_id.split("/")
    return len(names) == 2 and all(NAME.fullmatch(name) and not NO_NAME.match(name) for name in names)


def check_path(path: str, what: str) -> None:
    """Refuses a path that could lead out of the folder that it is joined to, on any system.

    Raises:
        PinError: It names `what`.
    """
    if len(path) > LONGEST or CONTROL.search(path) or "\\" in path or not all(map(_is_name, path.split("/"))):
        message = (
            f"{what} is {shown(path)}: expected names divided by single slashes, none of them a way out "
            "such as `..`. Nothing was fetched or removed; do not use what it comes from."
        )
        raise PinError(message)


def _is_name(part: str) -> bool:
    # Windows reads `.. ` and `...` as `..`, and `C:x` as a path of its own.
    return bool(part.rstrip(". ")) and not PureWindowsPath(part).drive


def check_revision(revision: str, what: str) -> None:
    """Refuses what is the name of no branch, tag or commit.

    Raises:
        PinError: It names `what`.
    """
    check_path(revision, f"the revision of {what}")
    if NO_REVISION.search(revision) or revision.startswith("-") or revision.endswith(".lock"):
        message = (
            f"the revision of {what} is {shown(revision)}: expected the name of a branch or tag, or a "
            "commit, as git has them. Correct the place."
        )
        raise PinError(message)


def _no_repository(text: str) -> PinError:
    message = f"no repository in {shown(text)}. Expected {SCHEME}[datasets/]OWNER/NAME[@REVISION][/PATH]."
    return PinError(message)


def _split_type(rest: str) -> tuple[str, str]:
    first, _, tail = rest.partition("/")
    if first in REPO_TYPES:
        return REPO_TYPES[first], tail
    return "model", rest


def _split_revision(tail: str) -> tuple[str, str, str]:
    """`NAME[@REVISION][/PATH]` -> name, revision, path."""
    name, at, after = tail.partition("@")
    if not at or "/" in name:
        name, _, path = tail.partition("/")
        return name, "main", path
    special = SPECIAL_REVISION.fullmatch(after)
    if special:
        return name, special[1], special[2] or ""
    revision, _, path = after.partition("/")
    return name, unquote(revision) or "main", path
