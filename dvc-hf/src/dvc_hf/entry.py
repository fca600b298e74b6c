"""A file or folder as the Hub lists it: whatever cannot be one is refused here."""

import re
from dataclasses import dataclass

from dvc_hf import names
from dvc_hf.errors import RejectedError
from dvc_hf.location import is_commit

_DIGEST = re.compile(
    r"[0-9a-f]{40}|[0-9a-f]{64}"
)  # git's name of a small file; sha256 or Xet hash of a large


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
            if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
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
