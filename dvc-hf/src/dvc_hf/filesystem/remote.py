"""DVC's half: a remote's section of the config and paths in, storage out."""

# ruff: noqa: ARG002 - the signatures are DVC's

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dvc_objects.fs.errors import ConfigError
from fsspec.callbacks import DEFAULT_CALLBACK, Callback

from dvc_hf.commit.repository import Account, Repository
from dvc_hf.filesystem.files import send_stream
from dvc_hf.filesystem.paths import HubPaths
from dvc_hf.filesystem.storage import HubStorage
from dvc_hf.hub.credentials import choose_credential
from dvc_hf.hub.names import SCHEME

Info = dict[str, Any]
OnError = Callable[[str, str, BaseException], None]


class HfFileSystem(HubPaths):
    """A DVC remote in a repository of the Hub."""

    protocol = SCHEME
    REQUIRES: ClassVar[dict[str, str]] = {"dvc-hf": "dvc_hf", "huggingface_hub": "huggingface_hub"}
    PARAM_CHECKSUM: ClassVar[str] = "etag"
    CAN_TRAVERSE = False  # a listing of asked paths is as cheap as one of all, and exact
    TRAVERSE_PREFIX_LEN = 2

    @functools.cached_property
    def fs(self) -> HubStorage:
        """The storage of this remote."""
        config = self._config
        refuse_what_cannot_be(config, is_versioned=self.version_aware)
        account = Account(
            endpoint=config.get("endpointurl"),
            credential=choose_credential(config.get("endpointurl"), config.get("token")),
            create=config.get("create"),
            commit_message=config.get("commit_message"),
        )
        branch = config.get("branch")
        return HubStorage(account, branch, self.version_aware, skip_instance_cache=True)

    @property
    def fsid(self) -> str:
        """What tells this Hub from another; no option is judged here, for DVC drops what this raises."""
        return HubStorage(Account(self._config.get("endpointurl"))).fsid

    # many paths a request ------------------------------------------------------------------------

    def exists(self, path: Any, callback: Callback = DEFAULT_CALLBACK, batch_size: int | None = None) -> Any:
        """Whether each path is there; a repository that is missing is an error."""
        if isinstance(path, str):
            return self.fs.exists(path)
        paths = list(path)
        callback.set_size(len(paths))
        found = [info is not None for info in self.fs.infos(paths)]
        callback.relative_update(len(paths))
        return found

    def info(
        self,
        path: Any,
        callback: Callback = DEFAULT_CALLBACK,
        batch_size: int | None = None,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Describe each path."""
        if isinstance(path, str):
            return self._one_info(path, return_exceptions)
        paths = list(path)
        callback.set_size(len(paths))
        found = self.fs.infos(paths)
        callback.relative_update(len(paths))
        missing = [FileNotFoundError(2, "no such file on the Hub", name) for name in paths]
        if None in found and not return_exceptions:
            raise missing[found.index(None)]
        return [info or error for info, error in zip(found, missing, strict=True)]

    def _one_info(self, path: str, return_exceptions: bool) -> Any:
        try:
            return self.fs.info(path)
        except Exception as error:
            if not return_exceptions:
                raise
            return error

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> Any:
        """List a folder; with ``versions``, a folder that is not there is an empty one."""
        return self.fs.ls(path, detail=detail)

    # writing -------------------------------------------------------------------------------------

    def put_files(
        self,
        from_paths: Sequence[str],
        to_paths: Sequence[str],
        callback: Callback = DEFAULT_CALLBACK,
        on_error: OnError | None = None,
        jobs: int | None = None,
    ) -> None:
        """Write many local files as one batch, each with its own bar."""
        bars = {}
        for source, path in zip(from_paths, to_paths, strict=True):
            bars[path] = callback.branched(source, path)
            bars[path].set_size(Path(source).stat().st_size)
        try:
            failed = self.fs.put_files(
                [Path(source) for source in from_paths],
                to_paths,
                lambda path, count: bars[path].relative_update(count),
                jobs or self.jobs,
            )
        finally:
            for bar in bars.values():
                bar.close()
        for source, path in zip(from_paths, to_paths, strict=True):
            callback.relative_update()
            if path in failed:
                self._report(source, path, failed[path], on_error)

    @staticmethod
    def _report(source: str, path: str, error: Exception, on_error: OnError | None) -> None:
        if on_error is None:
            raise error
        on_error(source, path, error)

    def upload_fobj(self, fobj: Any, to_info: str, **kwargs: Any) -> None:
        """Write a stream."""
        if fobj.seekable():
            send_stream(fobj, lambda source: self._put_one(source, to_info))
            return
        with self.fs.open(to_info, "wb") as file:
            while block := fobj.read(1024 * 1024):
                file.write(block)

    def _put_one(self, source: Path | bytes, path: str) -> None:
        for error in self.fs.put_files([source], [path]).values():
            raise error

    def rm(self, path: Any, recursive: bool = False, **kwargs: Any) -> None:
        """Delete files in one commit."""
        self.fs.rm(path, recursive=recursive)

    remove = rm

    def reflink(self, from_info: str, to_info: str) -> None:
        """Move or copy within the Hub, so that nothing is sent twice."""
        self.fs.link_file(from_info, to_info, keep=False)

    def open_repository(self, path: str) -> Repository:
        """The repository that a path of this remote is in."""
        return self.fs.open_repository(path)[0]

    def prefetch(self, paths: Iterable[str]) -> None:
        """Ask for many paths at once, so that asking for each of them costs nothing."""
        self.fs.prefetch(list(paths))


# Options of a remote that exclude one another.
def refuse_what_cannot_be(options: Mapping[str, Any], *, is_versioned: bool) -> None:
    """Stop at options that exclude one another.

    Raises:
        ConfigError: it says which, and what to do.
    """
    if is_versioned and options.get("repo_type") == "bucket":
        message = (
            "a bucket cannot be version_aware or a worktree: it keeps no versions. Remove the option "
            "('dvc remote modify --unset NAME version_aware', or worktree; leave out --version-aware), "
            "or use a repository: hf://datasets/OWNER/NAME."
        )
        raise ConfigError(message)
    if options.get("publish") and is_versioned:
        message = (
            "'publish' shows plain names beside DVC's objects; a version_aware or worktree remote has "
            "plain names already. Remove one of them: 'dvc remote modify --unset NAME publish'."
        )
        raise ConfigError(message)
    if options.get("prune") and not options.get("worktree"):
        message = "'prune' deletes what left a worktree: it needs 'dvc remote modify NAME worktree true'."
        raise ConfigError(message)
