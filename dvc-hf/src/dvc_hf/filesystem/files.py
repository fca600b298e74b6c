"""Open files of the Hub: one that reads ranges, one that is sent when it is closed."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from fsspec.spec import AbstractBufferedFile

from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.promises import Promise
from dvc_hf.hub.proof import broken_promise

RANGE_SIZE = 5 * 1024 * 1024
KEPT_IN_MEMORY = 1024 * 1024


def absolute_position(position: int | None, size: int | None) -> int | None:
    """A position counted from the start, where it was counted from the end."""
    if position is None or position >= 0:
        return position
    return max(0, (size or 0) + position)


class RangedFile(AbstractBufferedFile):  # type: ignore[misc]
    """A large file, read a block at a time; whoever reads it from start to end gets what was promised."""

    def __init__(self, storage: Any, path: str, size: int, promise: Promise | None = None) -> None:
        super().__init__(storage, path, "rb", RANGE_SIZE, cache_type="readahead", size=size)
        self._promise = promise
        self._digest = promise.digester() if promise else None
        self._count = 0

    def _fetch_range(self, start: int, end: int) -> bytes:
        block = bytes(self.fs.cat_file(self.path, start, end))
        if self._digest is not None and start == self._count:
            self._count += len(block)
            self._digest.update(block)
            self._compare(self._digest.hexdigest() if self._count == self.size else None)
        return block

    def _compare(self, got: str | None) -> None:
        if self._promise is not None and got not in (None, self._promise.digest):
            raise RejectedError(broken_promise(self.path, str(self._promise), str(got)))


class WrittenFile(io.BufferedIOBase):
    """A file that waits on disk until it is closed, and is sent then; an error before that sends nothing."""

    def __init__(self, send: Callable[[Path | bytes], None]) -> None:
        self._send = send
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=KEPT_IN_MEMORY)  # noqa: SIM115
        self.blocksize = RANGE_SIZE

    def write(self, data: Any) -> int:
        """Keep bytes for later."""
        return self._file.write(data)

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """How much was written."""
        return self._file.tell()

    def discard(self) -> None:
        """Send nothing."""
        self._file.close()
        super().close()

    def __exit__(self, kind: Any, *args: Any) -> None:
        self.close() if kind is None else self.discard()

    def close(self) -> None:
        """Send what was written."""
        if self.closed:
            return
        try:
            send_stream(self._file, self._send)
        finally:
            self.discard()


def send_stream(stream: IO[bytes], send: Callable[[Path | bytes], None]) -> None:
    """Hand over a stream's content from its start: small ones as bytes, large ones as a file."""
    stream.seek(0)
    head = stream.read(KEPT_IN_MEMORY)
    if len(head) < KEPT_IN_MEMORY:
        send(head)
        return
    with tempfile.TemporaryDirectory(prefix="dvc-hf-") as folder:
        path = Path(folder, "content")
        with path.open("wb") as file:
            file.write(head)
            while block := stream.read(RANGE_SIZE):
                file.write(block)
        send(path)
