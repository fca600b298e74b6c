"""Fetches one file whole, and proves it before anyone may use it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from huggingface_hub.file_download import http_get, xet_get
from huggingface_hub.utils._runtime import is_xet_available
from huggingface_hub.utils._xet import XetFileData

from dvc_hf.client import Client
from dvc_hf.entry import Entry
from dvc_hf.errors import RejectedError
from dvc_hf.retries import retried

Progress = Callable[[int], Any]
XET_FROM = 1024 * 1024  # bytes; below, Xet's own start costs more than it can save


def download(client: Client, entry: Entry, revision: str, target: Path, progress: Progress) -> None:
    """Write a file of the Hub to a path; what does not match its size and etag is not left there."""

    def once() -> None:
        if entry.size == 0:
            target.write_bytes(b"")
        elif entry.xet_hash and entry.size >= XET_FROM and is_xet_available():
            _through_xet(client, entry, revision, target)
            progress(entry.size)
        else:
            _through_http(client, entry, revision, target, progress)

    try:
        retried(once, f"download {entry.path}")
        verify(client, entry, target)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, Exception):
            raise client.explained(error, f"download '{entry.path}' from") from None
        raise


def _through_http(client: Client, entry: Entry, revision: str, target: Path, progress: Progress) -> None:
    url = client.content_url(entry.path, revision)
    with target.open("wb") as file:
        counted = _CountedWriter(file, progress)
        http_get(url, counted, headers=client.headers, expected_size=entry.size)  # type: ignore[arg-type]


def _through_xet(client: Client, entry: Entry, revision: str, target: Path) -> None:
    source = XetFileData(file_hash=str(entry.xet_hash), refresh_route=client.xet_route(revision))
    xet_get(incomplete_path=target, xet_file_data=source, headers=client.headers, expected_size=entry.size)


def verify(client: Client, entry: Entry, target: Path) -> None:
    """Compare a file with what the Hub says of it.

    Raises:
        RejectedError: size or digest differ.
    """
    size = target.stat().st_size
    if size != entry.size:
        raise RejectedError(_mismatch(entry, f"{entry.size} bytes", f"{size}"))
    etag = client.digest(target, entry)
    if etag != entry.etag:
        raise RejectedError(
            _mismatch(entry, f"{'sha256' if entry.is_large else 'git sha1'} {entry.etag}", etag)
        )


def _mismatch(entry: Entry, expected: str, got: str) -> str:
    return (
        f"'{entry.path}' arrived damaged: expected {expected}, got {got}. "
        "The file was removed; pull again, and if it stays so, compare with the repository's page."
    )


class _CountedWriter:
    """A file that reports what is written to it."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        self._progress(written)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
