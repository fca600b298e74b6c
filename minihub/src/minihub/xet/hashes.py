"""The hashes of Xet: of a chunk, of a xorb and of a file. Keys and tree are those of the protocol."""

import re
import struct

from blake3 import blake3

CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
FILE_KEY = bytes(32)

HASH_SIZE = 32  # bytes
MEAN_CHILDREN = 4
MIN_CHILDREN = 2
MAX_CHILDREN = 2 * MEAN_CHILDREN + 1
DEDUP_MODULUS = 1024  # about one chunk in so many may be asked for across files

_HEX = re.compile(r"[0-9a-f]{64}")

Leaf = tuple[bytes, int]  # a hash, and the bytes below it


def to_hex(raw: bytes) -> str:
    """A hash as text: four little-endian numbers, each written the other way round."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


def from_hex(text: str) -> bytes:
    """The inverse of `to_hex`."""
    return struct.pack("<4Q", *(int(text[i : i + 16], 16) for i in range(0, 64, 16)))


def is_hash(text: str) -> bool:
    """Whether `text` has the form of a hash."""
    return _HEX.fullmatch(text) is not None


def chunk_hash(content: bytes | memoryview) -> bytes:
    """Of the bytes of a chunk."""
    return blake3(content, key=CHUNK_KEY).digest()


def xorb_hash(leaves: list[Leaf]) -> bytes:
    """Of the chunks of a xorb."""
    if not leaves:
        return bytes(HASH_SIZE)
    while len(leaves) > 1:
        leaves = _layer(leaves)
    return leaves[0][0]


def file_hash(leaves: list[Leaf]) -> bytes:
    """Of the chunks of a file."""
    return blake3(xorb_hash(leaves), key=FILE_KEY).digest() if leaves else bytes(HASH_SIZE)


def is_shared(chunk: bytes) -> bool:
    """Whether clients ask for this chunk across files."""
    return _tail(chunk) % DEDUP_MODULUS == 0


def _layer(leaves: list[Leaf]) -> list[Leaf]:
    parents, start = [], 0
    while start < len(leaves):
        end = _cut(leaves, start)
        parents.append(_parent(leaves[start:end]))
        start = end
    return parents


def _cut(leaves: list[Leaf], start: int) -> int:
    end = min(start + MAX_CHILDREN, len(leaves))
    for index in range(start + MIN_CHILDREN, end):
        if _tail(leaves[index][0]) % MEAN_CHILDREN == 0:
            return index + 1
    return end


def _parent(children: list[Leaf]) -> Leaf:
    text = "".join(f"{to_hex(raw)} : {size}\n" for raw, size in children)
    return blake3(text.encode(), key=NODE_KEY).digest(), sum(size for _, size in children)


def _tail(raw: bytes) -> int:
    return int.from_bytes(raw[24:], "little")
