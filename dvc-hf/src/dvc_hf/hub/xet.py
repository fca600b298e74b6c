"""Sends content to the Xet store, only the chunks that it lacks, and reads it back."""

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from huggingface_hub import constants
from huggingface_hub.utils._xet import (
    XetFileData,
    abort_xet_session,
    get_xet_session,
    refresh_xet_connection_info,
    xet_headers_without_auth,
)

from dvc_hf.hub.changes import Upload, Uploaded
from dvc_hf.log import logger

_REFUSED_SHARD = re.compile(r"\b40[04]\b.{0,200}/shards\b", re.DOTALL)
_CACHE = "HF_XET_CACHE"  # read by hf_xet as each session begins


def send_files(route: str, headers: dict[str, str], group: Sequence[Upload]) -> list[Uploaded]:
    """Send files and tell how far each is.

    Args:
        route: where a token is had that writes to the store; asked first, so that a refusal is the Hub's own.
        headers: of the user.
        group: what to send.
    """
    from hf_xet import SKIP_SHA256

    file = XetFileData("", route)
    bars = Bars()
    try:
        with get_xet_session().new_upload_commit(  # type: ignore[no-untyped-call]
            **_connection(file, route, headers),
            progress_callback=bars.update,
        ) as commit:
            handles = []
            for item in group:
                if isinstance(item.content, bytes):
                    handles.append(commit.start_upload_bytes(item.content, sha256=SKIP_SHA256))
                else:
                    handles.append(commit.start_upload_file(os.fspath(item.content), sha256=SKIP_SHA256))
                bars.follow(handles[-1].task_id, item)
        return [bars.finish(handle, item) for handle, item in zip(handles, group, strict=True)]
    except KeyboardInterrupt:
        abort_xet_session()  # type: ignore[no-untyped-call]
        raise


class SparedCache:
    """hf_xet's own record of what a Hub has, left aside for this process once it turned out to be old.

    The record outlives the Hub's content: a repository made anew, a collection there, another server at the
    same address. What it names is then not sent, and the Hub refuses the file for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._empty: tempfile.TemporaryDirectory[str] | None = None

    @property
    def is_spared(self) -> bool:
        """Whether an upload that begins now reads nothing that was recorded before."""
        return self._empty is not None

    def spare(self) -> None:
        """Go on with an empty record; transfers that are under way are broken off."""
        with self._lock:
            if self._empty is not None:
                return
            left = os.environ.get(_CACHE) or constants.HF_XET_CACHE
            self._empty = tempfile.TemporaryDirectory(prefix="dvc-hf-xet-", ignore_cleanup_errors=True)
            os.environ[_CACHE] = self._empty.name
            abort_xet_session()  # type: ignore[no-untyped-call]
        logger.warning(
            "the Hub no longer has what the Xet cache in '%s' says it has: all is sent again. "
            "Remove that folder, and the next push is spared this.",
            left,
        )


_cache = SparedCache()
Sent = TypeVar("Sent")


def send_anew(send: Callable[[], Sent]) -> Sent:
    """Send; once more where the record of what the store has turns out to be old."""
    was_spared = _cache.is_spared
    try:
        return send()
    except Exception as error:
        # Sparing it breaks off what other threads send: these come again too.
        if was_spared or not (_cache.is_spared or _is_refused_shard(error)):
            raise
        _cache.spare()
        return send()


def _is_refused_shard(error: Exception) -> bool:
    """Whether the store refused a list of chunks: it lacks some that it was said to have."""
    return bool(_REFUSED_SHARD.search(str(error)[:4000]))


def _connection(file: XetFileData, route: str, headers: dict[str, str]) -> dict[str, Any]:
    """Where the store is, with a token that is renewed while a transfer runs."""
    access = refresh_xet_connection_info(file_data=file, headers=headers)
    return {
        "endpoint": access.endpoint,
        "token": access.access_token,
        "token_expiry_unix_secs": access.expiration_unix_epoch,
        "token_refresh_url": route,
        "token_refresh_headers": headers,
        "custom_headers": xet_headers_without_auth(headers),
    }


def receive_file(route: str, headers: dict[str, str], digest: str, size: int) -> Iterator[bytes]:
    """Read a file from its start to its end.

    Args:
        route: where a token is had that reads from the store.
        headers: of the user.
        digest: the file's Xet hash.
        size: in bytes.
    """
    from hf_xet import XetFileInfo

    file = XetFileData(digest, route)
    try:
        with get_xet_session().new_download_stream_group(  # type: ignore[no-untyped-call]
            **_connection(file, route, headers),
        ) as group:
            yield from group.download_stream(XetFileInfo(digest, size))
    except KeyboardInterrupt:
        abort_xet_session()  # type: ignore[no-untyped-call]
        raise


class Bars:
    """How many bytes of each file were reported as sent."""

    def __init__(self) -> None:
        self._items: dict[Any, Upload] = {}
        self._done: dict[Any, int] = {}

    def follow(self, task: Any, item: Upload) -> None:
        """Report on this file from now on."""
        self._items[task] = item

    def update(self, _whole: Any, parts: dict[Any, Any]) -> None:
        """Report what the store has taken since the last time."""
        for task, part in parts.items():
            if task in self._items:
                self._report(task, part.bytes_completed)

    def finish(self, handle: Any, item: Upload) -> Uploaded:
        """Report a file as sent whole, and say what it is now."""
        info = handle.result().xet_info
        self._report(handle.task_id, info.file_size)
        return Uploaded(item.path, info.file_size, info.hash, is_large=True)

    def _report(self, task: Any, count: int) -> None:
        progress, before = self._items[task].progress, self._done.get(task, 0)
        self._done[task] = max(before, count)
        if progress and count > before:
            progress(count - before)
