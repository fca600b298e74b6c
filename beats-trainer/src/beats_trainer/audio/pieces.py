"""Parts of a file, and bytes that stand before them, as one file that a decoder can read."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

Piece = bytes | tuple[int, int]  # bytes themselves, or where bytes of the file begin and end


class Pieces(io.RawIOBase):
    """Pieces of a file one behind the other, to be read and sought in.

    Args:
        path: The file.
        pieces: What of it, or what instead of it.
    """

    def __init__(self, path: Path, pieces: Sequence[Piece]) -> None:
        self._file = path.open("rb", buffering=0)
        self._pieces = list(pieces)
        self._position = 0

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file below, too."""
        self._file.close()
        super().close()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def __len__(self) -> int:
        return sum(map(_length, self._pieces))

    def tell(self) -> int:
        """Bytes from the start of the first piece."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As any file does."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self)}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        """As many bytes as there are, up to the size of the buffer."""
        into = memoryview(buffer).cast("B")
        found = b"".join(self._slices(len(into)))
        into[: len(found)] = found
        self._position += len(found)
        return len(found)

    def _slices(self, wanted: int) -> list[bytes]:
        begin, end, start = self._position, self._position + wanted, 0
        found = []
        for piece in self._pieces:
            length = _length(piece)
            first, last = max(begin - start, 0), min(end - start, length)
            if first < last:
                found.append(self._of(piece, first, last))
            start += length
        return found

    def _of(self, piece: Piece, first: int, last: int) -> bytes:
        if isinstance(piece, bytes):
            return piece[first:last]
        self._file.seek(piece[0] + first)
        return self._file.read(last - first)


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
