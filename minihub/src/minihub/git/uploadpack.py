"""Git's own server side of clone and fetch, as a process for each request."""

import logging
import os
import shutil
import subprocess
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from anyio import CancelScope, to_thread

from minihub.errors import BadRequestError, HubError, TooLargeError

READ_SIZE = 64 << 10  # bytes
IN_MEMORY = 1 << 20  # bytes of a request that are kept in memory
MAX_REQUEST_SIZE = 64 << 20  # bytes of a request, unpacked: a line for each commit that the client has
ADVERTISEMENT = b"001e# service=git-upload-pack\n0000"
PROTOCOLS = {"version=1", "version=2"}

log = logging.getLogger(__name__)


def advertise_refs(folder: Path, protocol: str) -> bytes:
    """The references of a repository, as the first answer to a clone."""
    done = subprocess.run(
        [*_command(folder), "--advertise-refs", str(folder)],
        env=_environment(protocol),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        log.error("git upload-pack failed on %s: %s", folder.name, done.stderr.decode(errors="replace"))
        message = "git could not read the repository. The Hub's log says why."
        raise HubError(message, status=500)
    return ADVERTISEMENT + done.stdout if protocol != "version=2" else done.stdout


class Pack:
    """One answer of `git upload-pack`, read while git makes it.

    Args:
        folder: of the bare repository.
        request: what the client sent, unpacked; read from its beginning and closed at the end.
        protocol: of git, as the client asked for it; empty for the first.
    """

    def __init__(self, folder: Path, request: IO[bytes], protocol: str) -> None:
        request.seek(0)
        self._request = request
        self._process = subprocess.Popen(
            [*_command(folder), str(folder)],
            env=_environment(protocol),
            stdin=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    async def pieces(self) -> AsyncIterator[bytes]:
        """What git answers."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        read = self._process.stdout.read1  # type: ignore[attr-defined]
        while piece := await to_thread.run_sync(read, READ_SIZE):
            yield piece

    async def end(self) -> None:
        """Stop git if the client went away before the end, and let go of everything."""
        with CancelScope(shield=True):
            await to_thread.run_sync(self._end)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._request.close()


class Request:
    """The body of a fetch, gathered on disk when large, unpacked when packed."""

    def __init__(self, encoding: str) -> None:
        self.file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - `Pack` closes it
        self._size = 0
        self._unpacker = zlib.decompressobj(31) if encoding in {"gzip", "x-gzip"} else None

    def write(self, piece: bytes) -> None:
        """Append a piece as it was sent."""
        for part in self._unpacked(piece):
            self._size += len(part)
            if self._size > MAX_REQUEST_SIZE:
                message = f"The fetch asks with more than {MAX_REQUEST_SIZE} bytes. Clone afresh instead."
                raise TooLargeError(message, headers={"Connection": "close"})
            self.file.write(part)

    def _unpacked(self, piece: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield piece
            return
        try:
            while piece and not self._unpacker.eof:
                yield self._unpacker.decompress(piece, READ_SIZE)
                piece = self._unpacker.unconsumed_tail
        except zlib.error as error:
            message = f"The body of the fetch is not gzip, as its header says: {error}."
            raise BadRequestError(message) from error


@contextmanager
def received_request(encoding: str) -> Iterator[Request]:
    """A request to be filled, closed when that fails."""
    request = Request(encoding)
    try:
        yield request
    except BaseException:
        request.file.close()
        raise


def _command(folder: Path) -> list[str]:
    git = shutil.which("git")
    if git is None:
        message = (
            "This Hub cannot serve clone and fetch: the program git is not installed on its machine. "
            "Install it there, or download with huggingface_hub."
        )
        raise HubError(message, status=501)
    settings = (f"safe.directory={folder}", "uploadpack.allowFilter=true", "gc.auto=0")
    options = [word for setting in settings for word in ("-c", setting)]
    return [git, *options, "upload-pack", "--strict", "--stateless-rpc"]


def _environment(protocol: str) -> dict[str, str]:
    """Nothing of who started the Hub: neither their settings nor a repository they stand in."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    own = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    return {**kept, **own, **({"GIT_PROTOCOL": protocol} if protocol in PROTOCOLS else {})}
