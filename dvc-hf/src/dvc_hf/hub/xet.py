"""Sends content to the Xet store, only the chunks that it lacks, and reads it back."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from huggingface_hub.utils._xet import (
    XetFileData,
    abort_xet_session,
    get_xet_session,
    refresh_xet_connection_info,
    xet_headers_without_auth,
)

from dvc_hf.hub.changes import Upload, Uploaded


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
