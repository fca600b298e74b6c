"""The chunks of RIFF, RF64, BW64, W64, AIFF, CAF and AU files: where each lies, how long it claims to be."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

UNKNOWN_32 = 0xFFFFFFFF  # "look it up in ds64", or "not known yet" of a writer that was cut off
# What writers put into a stream whose end they do not know: arecord, SoX, FFmpeg; some take the header off.
PLACEHOLDERS = (0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, UNKNOWN_32)
HEADER_AT_MOST = 128
W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
LARGEST_KEPT = 1 << 20  # bytes of a chunk of text that are read at all
MOST_CHUNKS = 65_536  # that are walked over; a recorder writes ten
MOST_KEPT = 64  # of those that are looked at again
_KEPT = frozenset({"fmt", "data", "SSND", "ds64", "guan", "wamd", "LIST", "bext", "RIFF"})
_NAME = re.compile(rb"[ -~]{4}")


@dataclass(frozen=True)
class Chunk:
    """A chunk: its name, where its content starts, the size that is claimed and the size that is there."""

    name: str
    offset: int
    size: int
    present: int

    @property
    def missing(self) -> int:
        """Bytes that the header promises and the file does not have."""
        return self.size - self.present


@dataclass(frozen=True)
class ChunkedFile:
    """A file as a list of chunks.

    Args:
        container: What the chunks lie in.
        chunks: Those that anybody here looks at.
        end: Where the last chunk ends; what follows is none.
        unfinished: Whether the size of its samples was never written.
        last: The name of the last chunk.
    """

    container: str
    chunks: tuple[Chunk, ...]
    end: int
    unfinished: bool = False
    last: str = ""

    def named(self, name: str) -> Chunk | None:
        """The first chunk of this name."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)

    @property
    def samples(self) -> Chunk | None:
        """The chunk that holds the samples."""
        return next((c for c in self.chunks if c.name in {"data", "SSND"}), None)


def read_chunks(path: str | Path) -> ChunkedFile | None:
    """The chunks of a file, or None if it is in no container of this family."""
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(40)
        length = path.stat().st_size
        if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
            return _chunked_file(head[:4].decode(), _iff(file, length, "<"), length)
        if head[:16] == W64_RIFF:
            return _chunked_file("W64", _w64(file, length), length)
        if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
            return _chunked_file("AIFF", _iff(file, length, ">"), length)
        if head[:4] == b"caff":
            return _chunked_file("CAF", _caf(file, length), length)
        if head[:4] in {b".snd", b"dns."} and len(head) >= 24:
            return _chunked_file("AU", iter([_au(head, length)]), length)
    return None


def chunk_content(path: str | Path, chunk: Chunk) -> bytes:
    """The content of a small chunk."""
    with Path(path).open("rb") as file:
        file.seek(chunk.offset)
        return file.read(min(chunk.present, LARGEST_KEPT))


def _chunked_file(container: str, walk: Iterator[Chunk], length: int) -> ChunkedFile:
    """The walk ends with the chunks, or where so many are no recorder's."""
    kept: list[Chunk] = []
    end, last = 0, ""
    for chunk in islice(walk, MOST_CHUNKS):
        end, last = min(length, chunk.offset + chunk.present + chunk.present % 2), chunk.name
        if chunk.name in _KEPT and len(kept) < MOST_KEPT:
            kept.append(chunk)
    samples = next((c for c in kept if c.name in {"data", "SSND"}), None)
    unfinished = samples is not None and samples.size <= 0 < samples.present
    return ChunkedFile(container, tuple(kept), end, unfinished, last)


def _iff(file: BinaryIO, length: int, order: str) -> Iterator[Chunk]:
    """32-bit sizes; a chunk of odd size is followed by one byte of padding. It ends with what is no chunk.

    RF64 and BW64 have the true size of their samples in ds64, which comes first.
    """
    position, true_size, odd = 12, 0, 0
    while position + 8 <= length:
        name, size = _head(file, position, order)
        if odd and not _NAME.fullmatch(name):  # some writers leave the padding out
            position -= 1
            name, size = _head(file, position, order)
        if not _NAME.fullmatch(name):
            return
        if name == b"ds64":
            file.seek(position + 16)
            true_size = int.from_bytes(file.read(8), "little")
        if name == b"data" and size in {0, UNKNOWN_32} and true_size:
            size = true_size
        chunk = _sized(_name(name), position + 8, size, length)
        yield chunk
        if name == b"data" and chunk.size == 0:
            return  # sizes after an unfinished one mean nothing
        odd = size % 2
        position = chunk.offset + size + odd


def _head(file: BinaryIO, position: int, order: str) -> tuple[bytes, int]:
    file.seek(position)
    name, size = struct.unpack(f"{order}4sI", file.read(8))
    return name, size


def follows(path: str | Path, position: int, order: str = "<") -> bool:
    """Whether chunks follow from here to the end of the file, one after another."""
    length = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        while position + 8 <= length:
            file.seek(position)
            name, size = struct.unpack(f"{order}4sI", file.read(8))
            if not _NAME.fullmatch(name) or position + 8 + size > length:
                return False
            position += 8 + size + size % 2
    return position >= length - 1


def _is_placeholder(size: int, length: int) -> bool:
    if size in {0, UNKNOWN_32}:
        return True
    return size > length and any(0 <= known - size <= HEADER_AT_MOST for known in PLACEHOLDERS)


def _w64(file: BinaryIO, length: int) -> Iterator[Chunk]:
    """16-byte names, 64-bit sizes that count the 24 bytes of the header, padded to 8."""
    position = 40
    while position + 24 <= length:
        file.seek(position)
        name, size = struct.unpack("<4s12xQ", file.read(24))
        if not _NAME.fullmatch(name):
            return
        yield _sized(_name(name), position + 24, max(0, size - 24), length)
        if size < 24:
            return
        position += (size + 7) // 8 * 8


def _caf(file: BinaryIO, length: int) -> Iterator[Chunk]:
    """Big-endian 64-bit sizes; -1 for sound that runs to the end of the file."""
    position = 8
    while position + 12 <= length:
        file.seek(position)
        name, size = struct.unpack(">4sq", file.read(12))
        if not _NAME.fullmatch(name):
            return
        size = length - position - 12 if size < 0 else size
        yield _sized(_name(name), position + 12, size, length)
        position += 12 + size


def _au(head: bytes, length: int) -> Chunk:
    """No chunks: a header that says where the samples start and, perhaps, how many bytes they are."""
    offset, size = struct.unpack_from(">II" if head[:4] == b".snd" else "<II", head, 4)
    return _sized("data", offset, max(0, length - offset) if size == UNKNOWN_32 else size, length)


def _sized(name: str, offset: int, size: int, length: int) -> Chunk:
    present = max(0, length - offset)
    if name == "data" and _is_placeholder(size, length):
        return Chunk(name, offset, 0, present)
    return Chunk(name, offset, size, min(size, present))


def _name(name: bytes) -> str:
    return name.decode("latin-1").rstrip()
