"""Recordings behind a URL: listed, and brought one by one into a local folder of bounded size."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from beats_trainer.errors import MissingExtraError, RecordingError
from beats_trainer.recordings.walk import is_hidden

SILENCE_S = 60.0
_URL = re.compile(r"[a-z][a-z0-9+.-]+://")
_SECRET = re.compile(
    r"sig|token|key|secret|password|credential|expires|policy|x-(amz|goog|ms)-", re.IGNORECASE
)
_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "http": "http",
    "https": "http",
    "ssh": "ssh",
    "sftp": "ssh",
    "gs": "gs",
    "gcs": "gs",
}


def is_url(location: str) -> bool:
    """Whether this names a place that is not on this machine."""
    return _URL.match(location) is not None


def list_remote(url: str, suffixes: Collection[str]) -> list[str]:
    """The recordings behind a URL: itself, those that its `*` match, or all below it.

    Raises:
        MissingExtraError: No package here can read such URLs.
        OSError: The place does not answer, or does not let us in.
    """
    try:
        return _listed(url, suffixes)
    except MissingExtraError:
        raise
    except Exception as error:
        message = (
            f"{public_name(url)} cannot be listed. Check the URL and who may read it: {unspoken(error, url)}"
        )
        raise OSError(message) from error


def _listed(url: str, suffixes: Collection[str]) -> list[str]:
    files, path = _filesystem(url)
    if "*" in url:
        found = files.glob(path)
    elif _suffix(path) in suffixes:
        return [url]
    else:
        found = files.find(path)
    return sorted(
        _full(files, url, path, p) for p in found if _suffix(p) in suffixes and not _is_hidden(p, path)
    )


def _is_hidden(path: str, root: str) -> bool:
    """Whether it, or a folder on the way to it, is hidden."""
    return any(map(is_hidden, PurePosixPath(path.removeprefix(root)).parts))


def public_name(url: str) -> str:
    """A URL as it may be written down: without user, password, and what signs a query."""
    parts = urlsplit(url)
    if parts.scheme == "hf" or not ("@" in parts.netloc or parts.query):  # hf: @ stands before a revision
        return url
    kept = [pair for pair in parts.query.split("&") if not _SECRET.search(pair.partition("=")[0])]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="&".join(kept)))


def unspoken(error: Exception, url: str) -> str:
    """What an error says, without the secrets of the URL that it may quote."""
    text = (str(error) or type(error).__name__).replace(url, public_name(url))
    user = urlsplit(url).netloc.rpartition("@")[0]
    return text.replace(f"{user}@", "") if user else text


def _full(files: Any, url: str, root: str, path: str) -> str:
    """The URL of a path below a URL: some filesystems leave out the host, some the scheme, some nothing."""
    if "://" in path:
        return path
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    inside = root.lstrip("/").startswith(host)
    return str(files.unstrip_protocol(path)) if inside else f"{scheme}://{host}/{path.lstrip('/')}"


class RemoteCache:
    """A local folder of fetched recordings, at most `limit` bytes; what was used longest ago goes first.

    Args:
        folder: Where the files are.
        limit: Bytes that all of them may take together.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._change = threading.Condition()
        self._used: dict[Path, int] = {}  # how many readers a file has
        self._reserved: dict[Path, int] = {}

    @contextmanager
    def local(self, url: str) -> Iterator[Path]:
        """The recording as a local file, which stays at least until the block ends."""
        files, path = _filesystem(url)
        size = int(files.info(path).get("size") or 0)
        target = self.folder / f"{hashlib.sha256(f'{url} {size}'.encode()).hexdigest()[:24]}{_suffix(path)}"
        self._reserve(target, size, url)
        try:
            if not target.is_file():
                self._fetch(files, path, target, url, size)
            yield target
        finally:
            with self._change:
                self._used[target] -= 1
                self._reserved.pop(target, None)
                self._change.notify_all()

    def _fetch(self, files: Any, path: str, target: Path, url: str, size: int) -> None:
        temporary = target.with_name(f"{target.name}.{threading.get_ident()}.incomplete")
        try:
            _get(files, path, temporary, url)
            if size and temporary.stat().st_size != size:
                message = (
                    f"{public_name(url)} came in part: expected {size:,} bytes, got "
                    f"{temporary.stat().st_size:,}. Run the same command again."
                )
                raise RecordingError(message)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def _reserve(self, target: Path, size: int, url: str) -> None:
        """Wait until there is room, which there is when others have been read."""
        if size > self.limit:
            message = (
                f"{public_name(url)} has {size:,} bytes, more than the {self.limit:,} that the local cache "
                "may take. Allow more with --cache-gb."
            )
            raise RecordingError(message)
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._change:
            while not target.is_file() and not self._room(size):
                self._change.wait(timeout=1)
            self._used[target] = self._used.get(target, 0) + 1
            if not target.is_file():
                self._reserved[target] = size
            else:
                target.touch()

    def _room(self, size: int) -> bool:
        held = sorted(
            (p for p in self.folder.iterdir() if p.suffix != ".incomplete"), key=lambda p: p.stat().st_mtime
        )
        total = sum(p.stat().st_size for p in held) + sum(
            n for p, n in self._reserved.items() if p not in held
        )
        for path in held:
            if total + size <= self.limit:
                break
            if not self._used.get(path):
                total -= path.stat().st_size
                path.unlink()
        return total + size <= self.limit


def _get(files: Any, path: str, target: Path, url: str) -> None:
    """Fetches a file, and names the silence that its library may raise without a word."""
    try:
        files.get_file(path, str(target))
    except TimeoutError as error:
        message = (
            f"{public_name(url)} came in part: no answer for {SILENCE_S:.0f} s, or as long as its "
            "library waits. Run the same command again."
        )
        raise RecordingError(message) from error


def _filesystem(url: str) -> tuple[Any, str]:
    scheme = url.partition("://")[0]
    try:
        return _opened(url, scheme)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        advice = f"pip install 'beats-trainer[{extra}]'" if extra else "install the fsspec package for it"
        message = f"{public_name(url)}: no package here can read {scheme}:// ({error}). Install it: {advice}"
        raise MissingExtraError(message) from error


def _opened(url: str, scheme: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    if _EXTRAS.get(scheme) != "ssh":
        files, path = url_to_fs(url, **_options(scheme))
        return files, path
    from beats_trainer.recordings.ssh import KnownHostsFileSystem as Files

    return Files(**Files._get_kwargs_from_urls(url)), Files._strip_protocol(url)  # noqa: SLF001 - as url_to_fs does


def _options(scheme: str) -> dict[str, Any]:
    """How long silence is waited for; aiohttp would end every transfer after five minutes."""
    if not scheme.startswith("http"):
        return {}  # s3fs and gcsfs have limits of their own
    from aiohttp import ClientTimeout

    return {"client_kwargs": {"timeout": ClientTimeout(total=None, sock_connect=30, sock_read=SILENCE_S)}}


def _suffix(path: str) -> str:
    return PurePosixPath(path.partition("?")[0] if "://" in path else path).suffix.lower()
