"""The fsspec half: what ``reading`` lists and reads, and writes that go through a batch."""

# ruff: noqa: ARG002 - the signatures are fsspec's

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK, Callback

from dvc_hf.commit.repository import Repository
from dvc_hf.commit.transaction import transaction
from dvc_hf.filesystem.files import WrittenFile
from dvc_hf.filesystem.reading import ReadableStorage
from dvc_hf.hub import names
from dvc_hf.hub.changes import Upload
from dvc_hf.hub.errors import RejectedError, raise_first

UPLOADS_AT_ONCE = 8


def _refuse_impossible(repo: Repository, name: str) -> None:
    reason = names.write_refusal(name)
    if reason:
        message = (
            f"cannot push '{name}' to {repo.place.url}: {reason}. Nothing was sent. Rename the file, or push "
            "to a remote without version_aware and worktree, which keeps no names."
        )
        raise RejectedError(message)


class HubStorage(ReadableStorage):
    """Files of the Hub's repositories; paths are ``datasets/OWNER/NAME[@REVISION]/PATH``."""

    def put_files(
        self,
        sources: Sequence[Path | bytes],
        paths: Sequence[str],
        progress: Callable[[str, int], Any] | None = None,
        jobs: int = UPLOADS_AT_ONCE,
    ) -> dict[str, Exception]:
        """Write many files in as few requests as the Hub allows; what failed is in the answer, by path."""
        groups: dict[Repository, dict[str, tuple[str, Upload]]] = {}
        for source, path in zip(sources, paths, strict=True):
            repo, name, version = self.open_repository(path)
            if version or not name:
                raise PermissionError(
                    1, "cannot write to a fixed version or to the root of a repository", path
                )
            _refuse_impossible(repo, name)
            report = None if progress is None else (lambda count, path=path: progress(path, count))
            groups.setdefault(repo, {})[name] = (path, Upload(name, source, report))
        failed: dict[str, Exception] = {}
        for repo, members in groups.items():
            outcome = repo.put([upload for _, upload in members.values()], jobs)
            failed.update({members[name][0]: error for name, error in outcome.items()})
        return failed

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **kwargs: Any) -> Any:
        if mode == "xb" and self.exists(path):
            raise FileExistsError(errno.EEXIST, "exists on the Hub", path)
        if mode in ("wb", "xb"):
            return WrittenFile(lambda source: raise_first(self.put_files([source], [path])))
        return super()._open(path, mode, block_size, **kwargs)

    def put_file(
        self,
        lpath: Any,
        rpath: str,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **kwargs: Any,
    ) -> None:
        """Write a local file."""
        source = Path(lpath)
        if source.is_dir():
            return
        if mode == "create" and self.exists(rpath):
            raise FileExistsError(17, "exists on the Hub", rpath)
        callback.set_size(source.stat().st_size)
        raise_first(self.put_files([source], [rpath], lambda _, count: callback.relative_update(count)))

    def put(self, *args: Any, **kwargs: Any) -> None:
        """Write local files, in one commit."""
        with transaction.held():
            super().put(*args, **kwargs)

    def copy(self, *args: Any, **kwargs: Any) -> None:
        """Copy files, in one commit."""
        with transaction.held():
            super().copy(*args, **kwargs)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write bytes."""
        if mode == "create" and self.exists(path):
            raise FileExistsError(17, "exists on the Hub", path)
        raise_first(self.put_files([bytes(value)], [path]))

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Copy a file; large ones are named once more, without a byte sent."""
        if self.isdir(path1):
            return
        self.link_file(path1, path2, keep=True)

    def link_file(self, source: str, target: str, *, keep: bool) -> None:
        """Give the content of a path to another path, the same bytes stored once."""
        repo, name, version = self.open_repository(source)
        other, other_name, _ = self.open_repository(target)
        if repo is other and not version and not keep and repo.batch.move(name, other_name):
            return
        entry = repo.entries([name], version).get(name)
        if entry is None:
            raise FileNotFoundError(2, "no such file on the Hub", source)
        if repo is other and entry.is_large:
            repo.link(entry, other_name)
        else:
            raise_first(self.put_files([self.cat_file(source)], [target]))

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete files, in one commit; folders only where ``recursive`` is said."""
        paths = [path] if isinstance(path, str) else list(path)
        if recursive:
            paths = [found for item in paths for found in self.find(item)]
        with transaction.held():
            for (repo, _), members in self._by_repository(paths).items():
                repo.remove(members.values())

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        self.rm(path)

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Do nothing: folders of the Hub are there as soon as a file is in them."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: folders of the Hub are there as soon as a file is in them."""

    def rmdir(self, path: str) -> None:
        """Do nothing: a folder of the Hub goes with its last file."""
