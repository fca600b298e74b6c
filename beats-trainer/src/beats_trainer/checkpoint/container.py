"""The container of a checkpoint, looked over before anything in it is read or given memory."""

from __future__ import annotations

import errno
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from beats_trainer.checkpoint.pickles import LONGEST, inspect_pickles
from beats_trainer.errors import CheckpointError

LONGEST_HEADER = 4 << 20  # that of a published safetensors file has 25 kB
LONGEST_DIRECTORY = 1 << 20
LEGACY_PICKLES = 5  # magic number, version, machine, content, keys
_END = b"PK\x05\x06"
_END_SIZE = 22
_UNSAID = 0xFFFFFFFF  # the figure is in the zip64 record, which only files of 4 GB need


# What kind of file this is, by its first bytes.
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


def refuse_unsafe(path: Path, kind: Kind) -> None:
    """Refuses what would run code, or take more memory than the file has bytes.

    Raises:
        CheckpointError: with what was found.
        ValueError, zipfile.BadZipFile: the file is damaged.
    """
    if kind is Kind.SAFETENSORS:
        _inspect_header(path)
    elif kind is Kind.ZIP:
        _inspect_zip(path)
    else:
        inspect_pickles(path, _start(path, LONGEST), LEGACY_PICKLES)


def _start(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _inspect_header(path: Path) -> None:
    size = int.from_bytes(_start(path, 8), "little")
    if size > LONGEST_HEADER:
        raise _refused(path, f"its header has {size:,} bytes", f"at most {LONGEST_HEADER:,}")


def _inspect_zip(path: Path) -> None:
    _inspect_end(path)
    with _unzipping():
        archive = zipfile.ZipFile(path)
    with archive:
        pickle = _one_pickle(path, archive.infolist())
        with _unzipping():
            data = archive.read(pickle)
    inspect_pickles(path, data)


@contextmanager
def _unzipping() -> Iterator[None]:
    """What the library raises for damage, as one; it stands round its calls alone."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EINVAL:  # which is what a seek to before the file's start gives
            raise
        message = "the directory names places outside the archive"
        raise zipfile.BadZipFile(message) from error
    except (RuntimeError, EOFError, struct.error) as error:  # encrypted, of a newer version, cut
        raise zipfile.BadZipFile(str(error)) from error


def _one_pickle(path: Path, entries: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    _inspect_entries(path, entries)
    pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise _refused(path, f"it holds {len(pickles)} files named data.pkl", "one")
    if pickles[0].file_size > LONGEST:
        raise _refused(path, f"its pickle has {pickles[0].file_size:,} bytes", f"at most {LONGEST:,}")
    return pickles[0]


def _inspect_end(path: Path) -> None:
    """Readers of zip files disagree only about those that do not end with their directory's end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END_SIZE))
        end = file.read()
    if not end.startswith(_END):
        message = "the directory at the end of the archive is missing"
        raise zipfile.BadZipFile(message)
    directory = int.from_bytes(end[12:16], "little")
    if directory > LONGEST_DIRECTORY and not (directory == _UNSAID and size > _UNSAID):
        raise _refused(path, f"its directory has {directory:,} bytes", f"at most {LONGEST_DIRECTORY:,}")


def _inspect_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        raise _refused(path, "it is a TorchScript archive, which is a program", "tensors alone")
    packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise _refused(
            path, f"it holds compressed files ({packed[0][:100]})", "stored ones, as PyTorch writes"
        )
    total = sum(entry.file_size for entry in entries)
    if total > path.stat().st_size or len(set(names)) < len(names):
        raise _refused(path, f"its files overlap: {total:,} bytes in all", "each byte to be of one file")


def _refused(path: Path, found: str, expected: str) -> CheckpointError:
    message = (
        f"{path} is refused: {found}; expected {expected}. Nothing was run or loaded. "
        "Fetch it again from its publisher, or ask for safetensors."
    )
    return CheckpointError(message)


def kind_of(path: Path) -> Kind:
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
