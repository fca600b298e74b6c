"""A file or folder as the Hub lists it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A file or folder: its size in bytes, and the etag that tells one content from another."""

    path: str
    size: int = 0
    etag: str = ""
    is_large: bool = False
    is_folder: bool = False
    xet_hash: str | None = None
    last_commit: str | None = None
