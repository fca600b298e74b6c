"""What kind of file this is, by its first bytes."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from beats_trainer.errors import CheckpointError


class Kind(Enum):
    """The containers that weights come in."""

    ZIP = "zip"
    PICKLE = "pickle"
    SAFETENSORS = "safetensors"


_CONTAINERS = {b"PK\x03\x04": Kind.ZIP, b"\x80": Kind.PICKLE}
_IMPOSTORS = {
    b"<!doctype": "an HTML page, as an expired link gives",
    b"<html": "an HTML page, as an expired link gives",
    b"<?xml": "an XML page, as an expired link gives",
    b"version https://git-lfs": "a Git LFS pointer, not the file it stands for",
    b"RIFF": "a sound file",
    b"fLaC": "a sound file",
}


def sniff(path: Path) -> Kind:
    """The kind of a checkpoint file.

    Raises:
        FileNotFoundError: there is none.
        CheckpointError: it is something else, which is named.
    """
    head = _head(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return Kind.SAFETENSORS
    for magic, kind in _CONTAINERS.items():
        if head.startswith(magic):
            return kind
    message = (
        f"{path} is no checkpoint: it is {_impostor(head)}. Expected PyTorch's zip format or safetensors. "
        "Fetch it again from a place that serves the file itself."
    )
    raise CheckpointError(message)


def _head(path: Path) -> bytes:
    if not path.exists():
        message = (
            f"There is no checkpoint file at {path}. "
            "Give the path of an existing file, or a name from `beats list`."
        )
        raise FileNotFoundError(message)
    if path.is_dir():
        message = f"{path} is a folder; expected a checkpoint file. Name the file in it."
        raise CheckpointError(message)
    with path.open("rb") as file:
        return file.read(64)


def _impostor(head: bytes) -> str:
    if not head:
        return "empty"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, what in _IMPOSTORS.items():
        if text.lower().startswith(magic.lower()):
            return what
    return f"something else (its first bytes are {head[:8]!r})"
