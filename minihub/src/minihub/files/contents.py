"""Large files, wherever their bytes are: one blob, or chunks of the Xet store."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minihub.errors import EntryNotFoundError
from minihub.storage.blobs import READ_SIZE, Blobs
from minihub.xet.cas import Cas
from minihub.xet.hashes import to_hex
from minihub.xet.shards import FileInfo


@dataclass(frozen=True)
class Content:
    """The bytes of one large file: in a file of their own, or to be put together."""

    size: int
    path: Path | None = None
    xet: FileInfo | None = None


class Contents:
    """Finds and reads large files."""

    def __init__(self, blobs: Blobs, cas: Cas) -> None:
        self._blobs = blobs
        self._cas = cas

    def find(self, oid: str) -> Content:
        """A large file by its sha256."""
        size, xet = self._blobs.size(oid), self._cas.file_of(oid)
        if size is not None:
            return Content(size, path=self._blobs.path(oid), xet=xet)
        if xet is not None:
            return Content(xet.size, xet=xet)
        message = f"The content of the large file {oid} is not on this Hub. Upload the file again."
        raise EntryNotFoundError(message)

    def xet_hash(self, repo: int, oid: str) -> str:
        """The Xet hash of a large file, if this repository got it through Xet."""
        xet = self._cas.file_of(oid)
        return to_hex(xet.hash) if xet and self._cas.holds(repo, xet.hash) else ""

    def pieces(self, content: Content, start: int, end: int) -> Iterator[bytes]:
        """The bytes `start` to `end`, some at a time."""
        if content.path is None:
            assert content.xet is not None  # noqa: S101 - one of the two is there
            yield from self._cas.pieces(content.xet, start, end)
            return
        with content.path.open("rb") as file:
            file.seek(start)
            while start < end and (piece := file.read(min(READ_SIZE, end - start))):
                start += len(piece)
                yield piece
