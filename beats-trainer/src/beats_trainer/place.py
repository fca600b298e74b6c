"""Where a file lies on a Hub: `hf://[datasets/|models/|spaces/]OWNER/NAME[@REVISION]/PATH`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from beats_trainer.errors import PinError

REPO_TYPES = {"datasets": "dataset", "models": "model", "spaces": "space"}
PREFIXES = {"dataset": "datasets/", "model": "", "space": "spaces/"}
SCHEME = "hf://"
REPO_ID = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
COMMIT_HASH = re.compile(r"[0-9a-f]{40}")
SPECIAL_REVISION = re.compile(r"(refs/(?:pr|convert)/[\w\-]+)(?:/(.*))?")


@dataclass(frozen=True)
class Place:
    """One file, or the folder of a repository, on a Hub. An empty `endpoint` means the default one."""

    repo_id: str
    path: str = ""
    repo_type: str = "model"
    revision: str = "main"
    endpoint: str = ""

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


def parse_place(text: str, *, endpoint: str = "") -> Place:
    """Reads an `hf://` url.

    Raises:
        PinError: It is none, or it names no `OWNER/NAME`.
    """
    if not text.startswith(SCHEME):
        message = f"not a Hub address: {text!r}. Expected {SCHEME}[datasets/]OWNER/NAME[@REVISION][/PATH]."
        raise PinError(message)
    repo_type, rest = _split_type(text.removeprefix(SCHEME))
    owner, _, tail = rest.partition("/")
    name, revision, path = _split_revision(tail)
    repo_id = f"{owner}/{name}"
    if not REPO_ID.fullmatch(repo_id):
        message = f"no repository in {text!r}. Expected {SCHEME}[datasets/]OWNER/NAME[@REVISION][/PATH]."
        raise PinError(message)
    return Place(repo_id, path.strip("/"), repo_type, revision, endpoint.rstrip("/"))


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
