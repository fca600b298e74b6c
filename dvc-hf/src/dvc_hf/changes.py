"""What a push changes: content on its way to a path, and a path whose content has arrived."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Progress = Callable[[int], Any]


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
