"""What a push changes: content on its way to a path, and a path whose content has arrived."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc_hf.hub import names
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.location import is_commit

Progress = Callable[[int], Any]

# git's name of a small file; sha256 or Xet hash of a large
ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Upload:
    """Content on its way to a path of the repository."""

    path: str
    content: Path | bytes
    progress: Progress | None = field(default=None, compare=False)

    def bytes(self) -> bytes:
        """The content itself."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True)
class Uploaded:
    """A path of the next commit, whose content the Hub has or will get inside the commit itself."""

    path: str
    size: int
    etag: str
    is_large: bool
    content: Path | bytes | None = None
    is_unchanged: bool = False
    is_copy: bool = False  # the content lies there already, under another path
    rank: int = 0  # where a push needs several commits, higher ranks go into later ones

    def bytes(self) -> bytes:
        """The content that goes into the commit itself."""
        if isinstance(self.content, Path):
            return self.content.read_bytes()
        return self.content or b""

    def moved(self, path: str) -> "Uploaded":
        """The same content at another path."""
        return Uploaded(path, self.size, self.etag, self.is_large, self.content)


def git_oid(content: Path | bytes) -> str:
    """The name that git gives to this content."""
    data = content.read_bytes() if isinstance(content, Path) else content
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


# A file or folder as the Hub lists it: whatever cannot be one is refused here.
@dataclass(frozen=True)
class Entry:
    """A file or folder: its size in bytes, and the etag that tells one content from another.

    Raises:
        RejectedError: the path leads out of the repository, or a digest or a size is none.
    """

    path: str
    size: int = 0
    etag: str = ""
    is_large: bool = False
    is_folder: bool = False
    xet_hash: str | None = None
    last_commit: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or names.leads_out(self.path):
            raise RejectedError(_refusal("a path inside the repository", self.path))
        if not self.is_folder:
            self._expect_file()
        if self.last_commit is not None:
            commit_hash(self.last_commit)

    def _expect_file(self) -> None:
        if not isinstance(self.size, int) or self.size < 0:
            raise RejectedError(_refusal(f"a size of '{self.path}'", str(self.size)))
        for digest in (self.etag, *([] if self.xet_hash is None else [self.xet_hash])):
            if not (isinstance(digest, str) and ETAG.fullmatch(digest)):
                raise RejectedError(_refusal(f"a digest of '{self.path}'", digest))


def commit_hash(text: object) -> str:
    """Read what an answer names a commit.

    Raises:
        RejectedError: it is no commit's hash.
    """
    if not (isinstance(text, str) and is_commit(text)):
        raise RejectedError(_refusal("a commit hash of 40 hexadecimal digits", text))
    return text


def _refusal(expected: str, got: object) -> str:
    return (
        f"cannot use what the Hub answered: expected {expected}, got {names.quoted(got)}. "
        "No honest Hub sends that: check the address ('endpointurl' or HF_ENDPOINT)."
    )
