"""The listing part of the fsspec half: what is there, and at which version."""

# ruff: noqa: ARG002 - the signatures are fsspec's

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fsspec.spec import AbstractFileSystem
from fsspec.utils import tokenize

from dvc_hf.commit.repository import Account, Repository, shared_repository
from dvc_hf.hub.changes import Entry
from dvc_hf.hub.errors import raise_first
from dvc_hf.hub.location import parse_path
from dvc_hf.hub.names import PROTOCOL, SCHEME

Info = dict[str, Any]


class ListedStorage(AbstractFileSystem):  # type: ignore[misc]
    """Files of the Hub's repositories; paths are ``datasets/OWNER/NAME[@REVISION]/PATH``."""

    protocol = SCHEME
    root_marker = ""
    cachable = False

    def __init__(
        self,
        account: Account | None = None,
        branch: str | None = None,
        version_aware: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.account = account or Account()
        self.branch = branch
        self.version_aware = version_aware
        self._remembered: dict[str, Info | None] = {}
        self._without_versions = False

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(item) for item in path]
        return str(path).removeprefix(PROTOCOL).rstrip("/")

    @property
    def fsid(self) -> str:
        """What tells this Hub from another; DVC makes it part of a key in which a slash separates."""
        return f"hf-{tokenize(self.account.endpoint)}"

    def open_repository(self, path: str) -> tuple[Repository, str, str | None]:
        """The repository that a path is in, the path in it, and the commit that the path names, if any."""
        place = parse_path(self._strip_protocol(path))
        if place.version:
            return (
                shared_repository(place.root.at(self.branch), self.account),
                place.path_in_repo,
                place.version,
            )
        return shared_repository(place.root, self.account), place.path_in_repo, None

    def infos(self, paths: Sequence[str]) -> list[Info | None]:
        """What is at each path, None where nothing is; a thousand paths a request."""
        found: dict[str, Info] = {}
        for (repo, version), members in self._by_repository(paths).items():
            entries = repo.entries(members.values(), version)
            if self._shows_versions and not version:
                entries |= self._with_commits(repo, entries)
            for path, name in members.items():
                if name in entries:
                    found[path] = self._info(entries[name], path, version)
        return [found.get(path) for path in paths]

    @property
    def _shows_versions(self) -> bool:
        return self.version_aware and not self._without_versions

    @staticmethod
    def _with_commits(repo: Repository, entries: dict[str, Entry]) -> dict[str, Entry]:
        """The same files with the commit that wrote each: our own are known, the others are asked for."""
        files = {path for path, entry in entries.items() if not entry.is_folder}
        if files & repo.batch.added.keys():
            raise_first(repo.batch.commit())  # only a commit gives a version
        own = repo.batch.commits
        known = {
            path: replace(entries[path], last_commit=own[path][0])
            for path in files & own.keys()
            if entries[path].etag == own[path][1]
        }
        return known | repo.entries(files - known.keys(), last_commit=True)

    def _by_repository(self, paths: Iterable[str]) -> dict[tuple[Repository, str | None], dict[str, str]]:
        groups: dict[tuple[Repository, str | None], dict[str, str]] = {}
        for path in paths:
            repo, name, version = self.open_repository(path)
            groups.setdefault((repo, version), {})[path] = name
        return groups

    def _info(self, entry: Entry, path: str, version: str | None) -> Info:
        if entry.is_folder:
            return {"name": path, "type": "directory", "size": 0}
        info: Info = {"name": path, "type": "file", "size": entry.size, "etag": entry.etag}
        if self._shows_versions:
            info["version_id"] = version or entry.last_commit
        return info

    def info(self, path: str, **kwargs: Any) -> Info:
        """Describe a file or folder."""
        path = self._strip_protocol(path)
        if path in self._remembered:
            return self._existing(self._remembered[path], path)
        repo, name, _ = self.open_repository(path)
        if not name:
            repo.client.head()
            return {"name": path, "type": "directory", "size": 0}
        (info,) = self.infos([path])
        if info is None and repo.folder(name):
            info = {"name": path, "type": "directory", "size": 0}
        return self._existing(info, path)

    @staticmethod
    def _existing(info: Info | None, path: str) -> Info:
        if info is None:
            raise FileNotFoundError(errno.ENOENT, "no such file on the Hub", parse_path(path).url)
        return info

    @contextmanager
    def remembering(self, paths: Sequence[str]) -> Iterator[None]:
        """Ask for many files at once; until the end, asking for one of them is no request."""
        self._remembered = dict(zip(paths, self.infos(paths), strict=True))
        try:
            yield
        finally:
            self._remembered = {}

    @contextmanager
    def without_versions(self) -> Iterator[None]:
        """Until the end, describe files without the commit that wrote them: a listing then says it all."""
        self._without_versions = True
        try:
            yield
        finally:
            self._without_versions = False

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether there is such a file or folder; a repository that is missing is an error."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def isfile(self, path: str) -> bool:
        """Whether there is such a file."""
        (info,) = self.infos([path])
        return info is not None and info["type"] == "file"

    def isdir(self, path: str) -> bool:
        """Whether there is such a folder."""
        try:
            return bool(self.info(path)["type"] == "directory")
        except FileNotFoundError:
            return False

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """List a folder, or a file as itself."""
        path = self._strip_protocol(path)
        infos = self._below(path, recursive=False)
        if not infos:
            info = self.info(path)
            infos = [] if info["type"] == "directory" else [info]
        return infos if detail else [info["name"] for info in infos]

    def _below(self, path: str, *, recursive: bool) -> list[Info]:
        repo, name, version = self.open_repository(path)
        root = str(parse_path(path).root)
        entries = repo.tree(name, version, recursive=recursive)
        if self._shows_versions and not version:
            entries = list(
                (
                    {e.path: e for e in entries} | self._with_commits(repo, {e.path: e for e in entries})
                ).values()
            )
        return [self._info(entry, f"{root}/{entry.path}", version) for entry in entries]

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        **kwargs: Any,
    ) -> Any:
        """List every file below a folder whose name there starts with ``prefix``."""
        path = self._strip_protocol(path)
        start = f"{path}/{kwargs.get('prefix') or ''}"
        depth = path.count("/")
        infos = self._below(path, recursive=True) or self._itself(path)
        found = {
            info["name"]: info
            for info in sorted(infos, key=lambda info: str(info["name"]))
            if (withdirs or info["type"] == "file")
            and (info["name"].startswith(start) or info["name"] == path)
            and (maxdepth is None or info["name"].count("/") - depth <= maxdepth)
        }
        return found if detail else list(found)

    def _itself(self, path: str) -> list[Info]:
        (info,) = self.infos([path]) if parse_path(path).path_in_repo else (None,)
        return [info] if info and info["type"] == "file" else []

    def walk(
        self, path: str, maxdepth: int | None = None, topdown: bool = True, **kwargs: Any
    ) -> Iterator[Any]:
        """Walk a folder top down, from one recursive listing."""
        path = self._strip_protocol(path)
        detail = kwargs.get("detail", False)
        folders: dict[str, tuple[dict[str, Info], dict[str, Info]]] = {path: ({}, {})}
        for info in self._below(path, recursive=True):
            parent, _, name = info["name"].rpartition("/")
            is_folder = info["type"] == "directory"
            folders.setdefault(parent, ({}, {}))[0 if is_folder else 1][name] = info
        pending = [(path, 1)]
        while pending:
            folder, depth = pending.pop(0)
            dirs, files = folders.get(folder, ({}, {}))
            yield (folder, dirs, files) if detail else (folder, list(dirs), list(files))
            if maxdepth is None or depth < maxdepth:
                pending += [(f"{folder}/{name}", depth + 1) for name in dirs]
