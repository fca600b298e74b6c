"""Git LFS pointers: the small text that stands in a tree for a large file."""

import re
from dataclasses import dataclass

MAX_POINTER_SIZE = 1024  # bytes; the LFS specification's own bound

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pointer:
    """A large file: its sha256 and its size in bytes."""

    oid: str
    size: int

    def __bytes__(self) -> bytes:
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.oid}\nsize {self.size}\n"
        return text.encode()


def parse_pointer(content: bytes) -> Pointer | None:
    """The pointer that `content` is, or None."""
    if len(content) > MAX_POINTER_SIZE:
        return None
    match = _POINTER.fullmatch(content)
    return Pointer(match[1].decode(), int(match[2])) if match else None


def is_sha256(text: object) -> bool:
    """Whether `text` is the hex form of a sha256."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None
