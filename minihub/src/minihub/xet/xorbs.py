"""Xorbs: files of compressed chunks, parsed, checked and decoded one chunk at a time."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import lz4.frame

from minihub.errors import BadRequestError
from minihub.xet.hashes import chunk_hash

HEADER_SIZE = 8  # bytes: version, compressed size, scheme, size
MAX_CHUNK_SIZE = 128 << 10  # bytes
MAX_XORB_SIZE = 64 << 20  # bytes of all chunks
MAX_STORED_SIZE = MAX_XORB_SIZE + (4 << 20)  # bytes, with headers and footer
MAX_CHUNKS = 8192
FOOTER = b"XETBLOB"

RAW, LZ4, GROUPED_LZ4 = 0, 1, 2


@dataclass(frozen=True)
class Chunk:
    """Where one chunk of a xorb is, and what its content hashes to."""

    offset: int  # of its header in the stored xorb
    end: int  # of its data in the stored xorb
    size: int  # of its content
    hash: bytes


def read_chunks(file: BinaryIO) -> list[Chunk]:
    """Every chunk of a stored xorb, decoded and hashed; refuses what is malformed."""
    chunks: list[Chunk] = []
    total = 0
    for offset, end, content in _contents(file):
        total += len(content)
        chunks.append(Chunk(offset, end, len(content), chunk_hash(content)))
        if total > MAX_XORB_SIZE or len(chunks) > MAX_CHUNKS:
            message = f"The xorb has more than {MAX_XORB_SIZE} bytes or {MAX_CHUNKS} chunks."
            raise BadRequestError(message)
    if not chunks:
        message = "The xorb has no chunks."
        raise BadRequestError(message)
    return chunks


def _contents(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    while True:
        header = file.read(HEADER_SIZE)
        if not header or header.startswith(FOOTER):
            return
        stored, scheme, size = _parse_header(header, offset)
        data = file.read(stored)
        if len(data) != stored:
            message = f"The xorb ends inside the chunk at byte {offset}."
            raise BadRequestError(message)
        end = offset + HEADER_SIZE + stored
        yield offset, end, decode_chunk(data, scheme, size)
        offset = end


def _parse_header(header: bytes, offset: int) -> tuple[int, int, int]:
    if len(header) == HEADER_SIZE:
        version, low, high, scheme, size_low, size_high = struct.unpack("<BHBBHB", header)
        stored, size = low | high << 16, size_low | size_high << 16
        if version == 0 and 0 < size <= MAX_CHUNK_SIZE and stored <= 2 * MAX_CHUNK_SIZE:
            return stored, scheme, size
    message = f"The xorb has no chunk header at byte {offset}."
    raise BadRequestError(message)


def read_chunk(file: BinaryIO, chunk: Chunk) -> bytes:
    """The content of one chunk of a stored xorb."""
    file.seek(chunk.offset)
    record = file.read(chunk.end - chunk.offset)
    stored, scheme, size = _parse_header(record[:HEADER_SIZE], chunk.offset)
    return decode_chunk(record[HEADER_SIZE : HEADER_SIZE + stored], scheme, size)


def decode_chunk(data: bytes, scheme: int, size: int) -> bytes:
    """The content of a chunk."""
    try:
        if scheme == RAW:
            content = data
        elif scheme in {LZ4, GROUPED_LZ4}:
            content = _decompress(data, size)
            content = _ungroup(content) if scheme == GROUPED_LZ4 else content
        else:
            message = f"The compression scheme {scheme} of a chunk is not known."
            raise BadRequestError(message)
    except RuntimeError as error:
        message = "A chunk of the xorb cannot be decompressed."
        raise BadRequestError(message) from error
    if len(content) != size:
        message = f"A chunk of the xorb has {len(content)} bytes: its header says {size}."
        raise BadRequestError(message)
    return content


def _decompress(data: bytes, size: int) -> bytes:
    """Never more than one byte too many, whatever the data claim to hold."""
    return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size + 1))


def _ungroup(grouped: bytes) -> bytes:
    """Undo the grouping of every fourth byte, which makes floats compress better."""
    size = len(grouped)
    content, start = bytearray(size), 0
    for place in range(4):
        count = (size - place + 3) // 4
        content[place::4] = grouped[start : start + count]
        start += count
    return bytes(content)
