"""Large files by sha256: streamed in, never whole in memory, kept once however many repositories use them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minihub.errors import BadRequestError, EntryNotFoundError
from minihub.storage.durable import draft_file, place_file, sync_file

READ_SIZE = 1 << 20  # bytes


class Blobs:
    """A folder of files named by the sha256 of their content."""

    def __init__(self, folder: Path, drafts: Path) -> None:
        self.folder = folder
        self._drafts = drafts

    def path(self, oid: str) -> Path:
        """Where the blob is, or would be."""
        return self.folder / oid[:2] / oid[2:4] / oid

    def size(self, oid: str) -> int | None:
        """Its size in bytes, or None when it is not here."""
        try:
            return self.path(oid).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, oid: str) -> BinaryIO:
        """The content."""
        try:
            return self.path(oid).open("rb")
        except FileNotFoundError as error:
            message = f"The content of the large file {oid} is not on this Hub. Upload the file again."
            raise EntryNotFoundError(message) from error

    def oids(self) -> Iterator[str]:
        """The sha256 of every blob."""
        for path in self.folder.glob("??/??/*"):
            yield path.name

    def writer(self, oid: str, size: int) -> "BlobWriter":
        """A context manager that takes the content of one blob."""
        return BlobWriter(self, oid, size, self._drafts)


class BlobWriter:
    """Takes one blob piece by piece; it appears in the store only if `finish` finds it right."""

    def __init__(self, blobs: Blobs, oid: str, size: int, drafts: Path) -> None:
        self._blobs, self._oid, self._size = blobs, oid, size
        self._hash = hashlib.sha256()
        self._written = 0
        self._draft = draft_file(drafts)

    def __enter__(self) -> "BlobWriter":
        self._path, self._file = self._draft.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._draft.__exit__(None, None, None)

    def write(self, piece: bytes) -> None:
        """Append a piece."""
        self._written += len(piece)
        if self._written > self._size:
            raise BadRequestError(self._mismatch(f"more than {self._size} bytes"))
        self._hash.update(piece)
        self._file.write(piece)

    def finish(self) -> None:
        """Check the content, make it durable, and put it into the store."""
        found = self._hash.hexdigest()
        if self._written != self._size or found != self._oid:
            raise BadRequestError(self._mismatch(f"{self._written} bytes with sha256 {found}"))
        sync_file(self._file)
        self._file.close()
        place_file(self._path, self._blobs.path(self._oid))

    def _mismatch(self, got: str) -> str:
        return (
            f"The upload of {self._oid} was refused: expected {self._size} bytes with that sha256, "
            f"got {got}. Send the file again."
        )
