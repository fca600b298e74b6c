"""The reading part of the fsspec half: contents, a range of them or whole files."""

# ruff: noqa: ARG002 - the signatures are fsspec's

import errno
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK, Callback

from dvc_hf.commit.repository import Repository
from dvc_hf.filesystem.files import RangedFile, absolute_position
from dvc_hf.filesystem.listing import ListedStorage
from dvc_hf.hub import bodies, names
from dvc_hf.hub.changes import Entry
from dvc_hf.hub.downloads import download_file
from dvc_hf.hub.errors import RejectedError, raise_first
from dvc_hf.hub.promises import Promise, promise_of
from dvc_hf.hub.proof import broken_promise

READ_WHOLE = 16 * 1024 * 1024  # bytes: larger files are opened in ranges
LARGEST_LISTING = 1024 * 1024 * 1024  # bytes: of some ten million files


class ReadableStorage(ListedStorage):
    """Contents of the Hub's repositories and buckets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fresh: dict[str, Entry] = {}
        self._promised: dict[str, Promise] = {}

    def expect(self, promises: Mapping[str, Promise]) -> None:
        """Know what DVC says of the content of paths that are to be read next; an object's says it itself."""
        self._promised.update(promises)

    def _promise(self, path: str, name: str) -> Promise | None:
        return self._promised.pop(path, None) or promise_of(name)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Ask for many files at once, each for one download to come."""
        for (repo, version), members in self._by_repository(paths).items():
            entries = repo.entries(members.values(), version)
            self._fresh.update({path: entries[name] for path, name in members.items() if name in entries})

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Read a file, or the bytes from ``start`` up to ``end``."""
        size = None
        if (start or 0) < 0 or (end or 0) < 0:
            size = int(self.info(path)["size"])
        first, stop = absolute_position(start, size) or 0, absolute_position(end, size)
        if stop is not None and stop <= first:
            return b""
        repo, name, version = self.open_repository(path)
        staged = None if version else repo.batch.added.get(name)
        if staged is not None and not staged.is_large:
            return staged.bytes()[first:stop]
        if staged is not None:
            raise_first(repo.batch.commit())
        content = self._ranged(repo, name, version, first, stop)
        is_whole = not first and stop is None
        promise = self._promise(path, name) if is_whole else None
        if promise and not promise.is_kept_by(content):
            raise RejectedError(broken_promise(name, str(promise), f"{len(content)} other bytes"))
        return content

    def _ranged(
        self, repo: Repository, name: str, version: str | None, first: int, stop: int | None
    ) -> bytes:
        if names.is_impossible(name):
            raise FileNotFoundError(errno.ENOENT, "no such file on the Hub", names.quoted(name))
        client = repo.client
        most = LARGEST_LISTING if name.endswith(".dir") else None
        url = client.content_url(name, version or repo.place.branch)
        place = replace(repo.place.at(version or repo.place.revision), path_in_repo=name)

        def question() -> bytes:
            with bodies.open_body(url, client.headers, first, stop) as body:
                return body.read(first, stop, most)

        return client.ask(question, "read", place)

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **kwargs: Any) -> Any:
        if mode != "rb":
            message = (
                f"cannot open '{path}' with mode '{mode}': read it with 'rb', write it with 'wb' or 'xb'"
            )
            raise NotImplementedError(message)
        repo, name, version = self.open_repository(path)
        if name.endswith(".dir") and not version and name not in repo.batch.added:
            return io.BytesIO(repo.listing(name, lambda: self.cat_file(path)))
        info = self.info(path)
        if info["type"] == "directory":
            raise IsADirectoryError(21, "is a folder of the Hub", path)
        if int(info["size"]) <= READ_WHOLE:
            return io.BytesIO(self.cat_file(path))
        return RangedFile(self, path, int(info["size"]), self._promise(path, name))

    def get_file(self, rpath: str, lpath: str, callback: Callback = DEFAULT_CALLBACK, **kwargs: Any) -> None:
        """Download a file and prove it by size and digest."""
        repo, name, version = self.open_repository(rpath)
        if not version and name in repo.batch.added:
            raise_first(repo.batch.commit())
        entry = self._fresh.pop(rpath, None) or repo.entries([name], version).get(name) or repo.folder(name)
        if entry is None:
            raise FileNotFoundError(2, "no such file on the Hub", rpath)
        if entry.is_folder:
            Path(lpath).mkdir(parents=True, exist_ok=True)
            return
        target = Path(lpath)
        target.parent.mkdir(parents=True, exist_ok=True)
        callback.set_size(entry.size)
        promise = self._promise(rpath, name)
        revision = version or repo.place.branch
        download_file(repo.client, entry, revision, target, callback.relative_update, promise)
