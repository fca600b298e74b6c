"""Whether a WAV file holds all the bytes that its header promises: recorders that lose power write less."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

UNKNOWN = (0, 0xFFFFFFFF)  # what programs write that do not know the length when they start


def missing_bytes(path: Path) -> int:
    """How many bytes the file is short of its header; 0 for other formats and for headers that do not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        riff = file.read(12)
        if len(riff) < 12 or riff[:4] not in (b"RIFF", b"RF64") or riff[8:] != b"WAVE":
            return 0
        promised = _end_of_data(file, rf64=riff[:4] == b"RF64")
    return max(0, promised - size) if promised else 0


def _end_of_data(file: BinaryIO, *, rf64: bool) -> int:
    """The offset at which the samples should end, or 0 when the header does not say."""
    long_data = 0
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"ds64" and rf64:
            long_data = struct.unpack("<Q", file.read(16)[8:])[0]
            size -= 16
        elif name == b"data":
            size = long_data if rf64 and size == 0xFFFFFFFF else size
            return 0 if size in UNKNOWN else file.tell() + size
        file.seek(size + size % 2, 1)
    return 0
