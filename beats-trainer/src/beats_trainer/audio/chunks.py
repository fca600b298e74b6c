"""The chunks of RIFF, RF64, BW64, W64, AIFF, CAF and AU files: where each lies, how long it claims to be."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

UNKNOWN_32 = 0xFFFFFFFF  # "look it up in ds64", or "not known yet" of a writer that was cut off
W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
LARGEST_KEPT = 1 << 20  # bytes of a chunk of text that are read at all


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
    """A file as a list of chunks; `unfinished` if the size of its samples was never written."""

    container: str
    chunks: tuple[Chunk, ...]
    unfinished: bool = False

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
            return _riff(file, head[:4].decode(), length)
        if head[:16] == W64_RIFF:
            return _chunked_file("W64", list(_w64(file, length)))
        if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
            return _chunked_file("AIFF", list(_iff(file, length, ">")))
        if head[:4] == b"caff":
            return _chunked_file("CAF", list(_caf(file, length)))
        if head[:4] in {b".snd", b"dns."} and len(head) >= 24:
            return _chunked_file("AU", [_au(head, length)])
    return None


def chunk_content(path: str | Path, chunk: Chunk) -> bytes:
    """The content of a small chunk."""
    with Path(path).open("rb") as file:
        file.seek(chunk.offset)
        return file.read(min(chunk.present, LARGEST_KEPT))


def _chunked_file(container: str, chunks: list[Chunk]) -> ChunkedFile:
    samples = next((c for c in chunks if c.name in {"data", "SSND"}), None)
    unfinished = samples is not None and samples.size <= 0 < samples.present
    return ChunkedFile(container, tuple(chunks), unfinished)


def _riff(file: BinaryIO, magic: str, length: int) -> ChunkedFile:
    chunks, true_size = [], None
    for chunk in _iff(file, length, "<"):
        if chunk.name == "ds64":
            file.seek(chunk.offset)
            true_size = struct.unpack("<QQQ", file.read(24))[1]
        if chunk.name == "data" and chunk.size == 0 and true_size:
            chunks.append(_sized(chunk.name, chunk.offset, true_size, length))
            break
        chunks.append(chunk)
    chunked = _chunked_file(magic, chunks)
    unfinished = magic != "RIFF" and true_size is None  # without ds64 the others never say their size
    return ChunkedFile(magic, chunked.chunks, unfinished or chunked.unfinished)


def _iff(file: BinaryIO, length: int, order: str) -> Iterator[Chunk]:
    """32-bit sizes; a chunk of odd size is followed by one byte of padding."""
    position = 12
    while position + 8 <= length:
        file.seek(position)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        chunk = _sized(_name(name), position + 8, size, length)
        yield chunk
        if name == b"data" and size in {0, UNKNOWN_32}:
            return  # sizes after an unfinished one mean nothing
        position = chunk.offset + size + size % 2


def _w64(file: BinaryIO, length: int) -> Iterator[Chunk]:
    """16-byte names, 64-bit sizes that count the 24 bytes of the header, padded to 8."""
    position = 40
    while position + 24 <= length:
        file.seek(position)
        name, size = struct.unpack("<4s12xQ", file.read(24))
        chunk = _sized(_name(name), position + 24, max(0, size - 24), length)
        yield chunk
        if size < 24:
            return
        position += (size + 7) // 8 * 8


def _caf(file: BinaryIO, length: int) -> Iterator[Chunk]:
    """Big-endian 64-bit sizes; -1 for sound that runs to the end of the file."""
    position = 8
    while position + 12 <= length:
        file.seek(position)
        name, size = struct.unpack(">4sq", file.read(12))
        size = length - position - 12 if size < 0 else size
        yield _sized(_name(name), position + 12, size, length)
        position += 12 + size


def _au(head: bytes, length: int) -> Chunk:
    """No chunks: a header that says where the samples start and, perhaps, how many bytes they are."""
    offset, size = struct.unpack_from(">II" if head[:4] == b".snd" else "<II", head, 4)
    return _sized("data", offset, max(0, length - offset) if size == UNKNOWN_32 else size, length)


def _sized(name: str, offset: int, size: int, length: int) -> Chunk:
    present = length - offset if size in {0, UNKNOWN_32} and name == "data" else min(size, length - offset)
    return Chunk(name, offset, 0 if size == UNKNOWN_32 else size, max(0, present))


def _name(name: bytes) -> str:
    return name.decode("latin-1").rstrip()
