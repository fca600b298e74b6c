"""One bucket of the Hub: files without history, whose content is in the Xet store alone."""

# ruff: noqa: ARG002 - the signatures are the interface's; a bucket has no revisions

import json
import mimetypes
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar
from urllib.parse import quote

from huggingface_hub.utils import get_session, hf_raise_for_status
from huggingface_hub.utils._xet import XetTokenType, xet_connection_info_refresh_url

from dvc_hf.hub import xet
from dvc_hf.hub.changes import Entry, Upload, Uploaded
from dvc_hf.hub.client import WRITTEN_WITHIN_S, Client
from dvc_hf.hub.errors import RejectedError
from dvc_hf.log import logger


class BucketClient(Client):
    """One bucket: what is written is there file by file, so that the caller says what comes last."""

    MOST_CHANGES: ClassVar[int] = 1000  # in one batch: the bound of huggingface_hub's own client
    IS_ATOMIC: ClassVar[bool] = False

    def head(self) -> str:
        """Nothing: a bucket has no commits. A bucket that is not there is an error."""
        self.ask(self._look, "read")
        return ""

    def tree(self, path: str, revision: str | None = None, *, recursive: bool = False) -> list[Entry]:
        """Everything below a folder, or nothing where there is no such folder."""
        found = self.ask(lambda: list(self._below(path, recursive=recursive)), "list")
        return _with_folders(found, path) if recursive else found

    def folder(self, path: str) -> Entry | None:
        """The folder at a path: it is there as long as a file is in it."""
        first = self.ask(lambda: next(self._below(path, recursive=False), None), "list")
        return Entry(path, is_folder=True) if first else None

    def _below(self, path: str, *, recursive: bool) -> Iterator[Entry]:
        """List lazily, a thousand a request; the Hub compares text, so `ab` comes with `a`."""
        prefix = f"{path}/" if path else ""
        for item in self.api.list_bucket_tree(self.place.repo_id, path or None, recursive=recursive):
            if item.path.startswith(prefix):
                yield _entry(item)

    def send(self, group: Sequence[Upload], jobs: int) -> Iterator[Uploaded | Exception]:
        """Send content to the store, only chunks that it lacks; then ask which paths show it already."""
        sent = xet.send_files(self._route(XetTokenType.WRITE), self.headers, group)
        there = self.entries(item.path for item in sent)
        for item in sent:
            entry = there.get(item.path)
            yield replace(item, is_unchanged=entry is not None and entry.etag == item.etag)

    def inline(self, upload: Upload) -> Uploaded:
        """Send a small file: a bucket takes none inside the list of changes."""
        route = self._route(XetTokenType.WRITE)

        def send() -> Uploaded:
            return xet.send_files(route, self.headers, [upload])[0]

        return self.ask(lambda: xet.send_anew(send), "push to")

    def write(
        self, added: Sequence[Uploaded], removed: Iterable[str], message: str, parent: str | None = None
    ) -> str:
        """Add files, then delete some, listings of directories before what they list."""
        doomed = sorted(removed, key=lambda path: (not path.endswith(".dir"), path))
        listings = [path for path in doomed if path.endswith(".dir")]
        for lines in (
            [_addition(item, self.place.repo_id) for item in added],
            [{"type": "deleteFile", "path": path} for path in listings],
            [{"type": "deleteFile", "path": path} for path in doomed[len(listings) :]],
        ):
            for start in range(0, len(lines), self.MOST_CHANGES):
                self._apply(lines[start : start + self.MOST_CHANGES])
        return ""

    def _apply(self, lines: list[dict[str, Any]]) -> None:
        response = get_session().post(
            f"{self.endpoint}/api/buckets/{self.place.repo_id}/batch",
            headers={**self.headers, "Content-Type": "application/x-ndjson"},
            content=b"".join(json.dumps(line).encode() + b"\n" for line in lines),
            timeout=WRITTEN_WITHIN_S,
        )
        refused = response.json().get("failed", []) if response.status_code in (200, 422) else []
        if refused:
            raise RejectedError(_refusal(self.place.url, refused, len(lines)))
        hf_raise_for_status(response)

    def content_url(self, path: str, revision: str) -> str:
        """Where a file's content is read over HTTP."""
        return f"{self.endpoint}/buckets/{self.place.repo_id}/resolve/{quote(path)}"

    def xet_route(self, revision: str) -> str:
        """Where a token is had that reads files out of the store."""
        return self._route(XetTokenType.READ)

    def _route(self, kind: XetTokenType) -> str:
        return xet_connection_info_refresh_url(
            token_type=kind, repo_id=self.place.repo_id, repo_type="bucket", endpoint=self.endpoint
        )

    def digester(self, entry: Entry) -> None:
        """Nothing: a Xet hash is had of a whole file alone."""

    def digest(self, path: Path, entry: Entry) -> str:
        """The Xet hash of a local file: a bucket knows no other."""
        from hf_xet import hash_files

        return str(hash_files([os.fspath(path)])[0].hash)

    def _page(self, paths: list[str], revision: str, last_commit: bool) -> list[Entry]:
        logger.debug("asking for %d paths of %s", len(paths), self.place.url)
        found = self.ask(lambda: list(self.api.get_bucket_paths_info(self.place.repo_id, paths)), "read")
        return [_entry(item) for item in found]

    def _look(self) -> object:
        return self.api.bucket_info(self.place.repo_id)

    def _make(self, *, is_private: bool) -> object:
        return self.api.create_bucket(self.place.repo_id, private=is_private, exist_ok=True)


def _entry(item: Any) -> Entry:
    """Read one item of a listing."""
    if item.type == "directory":
        return Entry(item.path, is_folder=True)
    return Entry(item.path, item.size, item.xet_hash, is_large=True, xet_hash=item.xet_hash)


def _with_folders(files: list[Entry], top: str) -> list[Entry]:
    """A recursive listing names files alone: the folders between them and the top are added."""
    above = {str(folder) for file in files for folder in PurePosixPath(file.path).parents}
    above.discard(".")
    inside = sorted(folder for folder in above if not top or folder.startswith(f"{top}/"))
    return [*(Entry(folder, is_folder=True) for folder in inside), *files]


def _addition(item: Uploaded, bucket: str) -> dict[str, Any]:
    line = {"path": item.path, "xetHash": item.etag, "mtime": int(time.time() * 1000)}
    if item.is_copy:
        return {"type": "copyFile", **line, "sourceRepoType": "bucket", "sourceRepoId": bucket}
    kind = mimetypes.guess_type(item.path)[0]
    return {"type": "addFile", **line, **({"contentType": kind} if kind else {})}


def _refusal(url: str, refused: list[dict[str, Any]], asked: int) -> str:
    first = refused[0]
    return (
        f"cannot push to {url}: the bucket refused {len(refused)} of {asked} changes, the first at "
        f"'{first.get('path')}' ({first.get('error')}). Push again: what arrived is not sent twice."
    )
