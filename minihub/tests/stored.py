"""What a client of the Xet store sends: xorbs of one chunk, files of one xorb, and shards."""

import struct

from minihub.xet import hashes
from minihub.xet.shards import BOOKEND, TAG, FileInfo, Term


def xorb_of(content: bytes) -> tuple[bytes, bytes]:
    """A xorb as it is sent, and its hash."""
    size = len(content)
    header = struct.pack("<BHBBHB", 0, size & 0xFFFF, size >> 16, 0, size & 0xFFFF, size >> 16)
    return header + content, hashes.xorb_hash([(hashes.chunk_hash(content), size)])


def file_of(content: bytes) -> FileInfo:
    """A file that is one chunk."""
    leaf = hashes.chunk_hash(content), len(content)
    return FileInfo(hashes.file_hash([leaf]), [Term(xorb_of(content)[1], 0, 1, len(content))])


def shard_of(info: FileInfo) -> bytes:
    """What a client sends to say of what a file is made."""
    terms = [t.xorb + struct.pack("<IIII", 0, t.size, t.start, t.end) for t in info.terms]
    head = TAG + struct.pack("<QQ", 2, 200)
    return head + info.hash + struct.pack("<IIQ", 0, len(terms), 0) + b"".join(terms) + BOOKEND
