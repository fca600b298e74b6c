"""Shards: how a client says which chunks make up a file, and how it learns of chunks that exist."""

import struct
import time
from dataclasses import dataclass, field

from minihub.errors import BadRequestError
from minihub.xet.hashes import to_hex
from minihub.xet.xorbs import MAX_CHUNKS, Chunk

RECORD_SIZE = 48  # bytes of every record, and of the header
FOOTER_SIZE = 200  # bytes
MAX_SHARD_SIZE = 64 << 20  # bytes
TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
HEADER_VERSION, FOOTER_VERSION = 2, 1
BOOKEND = b"\xff" * 32 + bytes(16)
HAS_VERIFICATION, HAS_METADATA = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Term:
    """A stretch of a file: chunks `start` to `end` of a xorb."""

    xorb: bytes
    start: int
    end: int
    size: int  # bytes


@dataclass(frozen=True)
class FileInfo:
    """A file: its hash, what it is made of, and the sha256 that the client says it has."""

    hash: bytes
    terms: list[Term] = field(default_factory=list)
    sha256: str = ""

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(term.size for term in self.terms)


class _Records:
    """Records of 48 bytes, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, RECORD_SIZE

    def next(self) -> bytes:
        record = self._content[self._at : self._at + RECORD_SIZE]
        self._at += RECORD_SIZE
        if len(record) != RECORD_SIZE:
            message = "The shard ends before its files do."
            raise BadRequestError(message)
        return record


def read_files(content: bytes) -> list[FileInfo]:
    """The files that an uploaded shard describes."""
    if content[:32] != TAG:
        message = "The body is no shard: its first 32 bytes are not a shard's."
        raise BadRequestError(message)
    records, files = _Records(content), []
    while (record := records.next())[:32] != BOOKEND[:32]:
        flags, count = struct.unpack_from("<II", record, 32)
        terms = [_term(records.next()) for _ in range(count)]
        if flags & HAS_VERIFICATION:
            for _ in range(count):
                records.next()
        sha256 = to_hex(records.next()[:32]) if flags & HAS_METADATA else ""
        files.append(FileInfo(record[:32], terms, sha256))
    return files


def _term(record: bytes) -> Term:
    _flags, size, start, end = struct.unpack_from("<IIII", record, 32)
    if not start < end <= MAX_CHUNKS:
        message = f"A term of the shard takes the chunks {start} to {end} of a xorb."
        raise BadRequestError(message)
    return Term(record[:32], start, end, size)


def write_shard(xorbs: dict[bytes, list[Chunk]]) -> bytes:
    """A shard that tells a client which chunks are in these xorbs."""
    header = TAG + struct.pack("<QQ", HEADER_VERSION, FOOTER_SIZE)
    blocks = b"".join(_xorb_block(xorb, chunks) for xorb, chunks in xorbs.items()) + BOOKEND
    body = header + BOOKEND + blocks
    return body + _footer(len(body), xorbs)


def _xorb_block(xorb: bytes, chunks: list[Chunk]) -> bytes:
    total = sum(chunk.size for chunk in chunks)
    records, start = [xorb + struct.pack("<IIII", 0, len(chunks), total, chunks[-1].end)], 0
    for chunk in chunks:
        records.append(chunk.hash + struct.pack("<IIII", start, chunk.size, 0, 0))
        start += chunk.size
    return b"".join(records)


def _footer(end: int, xorbs: dict[bytes, list[Chunk]]) -> bytes:
    """Where the sections are: no lookup tables, no keyed hashes, no expiry."""
    stored = sum(chunks[-1].end for chunks in xorbs.values())
    content = sum(chunk.size for chunks in xorbs.values() for chunk in chunks)
    places = struct.pack("<9Q", FOOTER_VERSION, RECORD_SIZE, 2 * RECORD_SIZE, end, 0, end, 0, end, 0)
    times = struct.pack("<QQ", int(time.time()), 2**64 - 1)
    sizes = struct.pack("<4Q", stored, content, stored, end)
    return places + bytes(32) + times + bytes(48) + sizes
