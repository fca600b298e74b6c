"""Fetches one file whole, and proves it while it arrives."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from huggingface_hub.utils._runtime import is_xet_available

from dvc_hf.hub import bodies, xet
from dvc_hf.hub.changes import Entry
from dvc_hf.hub.client import Client
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.promises import Promise
from dvc_hf.hub.proof import Proof, damaged_file
from dvc_hf.hub.retry import retry_request

Progress = Callable[[int], Any]
XET_FROM = 1024 * 1024  # bytes; below, Xet's own start costs more than it can save


def download_file(
    client: Client,
    entry: Entry,
    revision: str,
    target: Path,
    progress: Progress,
    promise: Promise | None = None,
) -> None:
    """Write a file of the Hub to a path; what does not match its size, etag and promise is not left there."""
    try:
        with Arrival(target, client, entry, promise, progress) as arrival:
            if entry.size:
                fetch = _through_xet if _is_in_xet(entry) else _through_http
                retry_request(
                    lambda: fetch(client, revision, arrival), f"download {entry.path}", lambda: arrival.count
                )
            arrival.conclude()
        _verify_whole(client, arrival)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, Exception):
            raise client.explained(error, f"download '{entry.path}' from") from None
        raise


def _is_in_xet(entry: Entry) -> bool:
    return bool(entry.xet_hash) and entry.size >= XET_FROM and is_xet_available()


class Arrival:
    """A file that grows on disk while what arrives is compared with what is said of it."""

    def __init__(
        self, target: Path, client: Client, entry: Entry, promise: Promise | None, progress: Progress
    ) -> None:
        self.target = target
        self.entry = entry
        self._make_proof: Callable[[], Proof] = lambda: Proof(entry, promise, client.digester(entry))
        self._proof = self._make_proof()
        self._progress = progress

    def __enter__(self) -> Self:
        self._file = self.target.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def count(self) -> int:
        """How many bytes are there."""
        return self._proof.count

    @property
    def is_proven(self) -> bool:
        """Whether the content itself was compared, not only its size."""
        return self._proof.covers_content

    def write(self, data: bytes) -> None:
        """Take what has arrived."""
        self._proof.take(data)
        self._file.write(data)
        self._progress(len(data))

    def restart(self) -> None:
        """Begin anew: whoever sends does not go on where it was interrupted."""
        self._progress(-self.count)
        self._file.seek(0)
        self._file.truncate()
        self._proof = self._make_proof()

    def conclude(self) -> None:
        """Compare the whole."""
        self._proof.conclude()


def _through_http(client: Client, revision: str, arrival: Arrival) -> None:
    """Read on from where an earlier attempt was interrupted."""
    if arrival.count == arrival.entry.size:
        return
    url = client.content_url(arrival.entry.path, revision)
    with bodies.open_body(url, client.headers, arrival.count) as body:
        if arrival.count and not body.is_part:
            arrival.restart()
        for block in body:
            arrival.write(block)


def _through_xet(client: Client, revision: str, arrival: Arrival) -> None:
    entry = arrival.entry
    if arrival.count:
        arrival.restart()
    route = client.xet_route(revision)
    for block in xet.receive_file(route, client.headers, str(entry.xet_hash), entry.size):
        arrival.write(block)


def _verify_whole(client: Client, arrival: Arrival) -> None:
    """Compare a bucket's file that no name promises: its digest is had of the whole file alone."""
    entry = arrival.entry
    if arrival.is_proven or entry.size == 0:
        return
    etag = client.digest(arrival.target, entry)
    if etag != entry.etag:
        raise RejectedError(damaged_file(entry.path, f"Xet hash {entry.etag}", etag))
