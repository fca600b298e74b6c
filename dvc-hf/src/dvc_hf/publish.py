"""The ``publish`` option: a folder's files under their plain names, in the commit with the objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dvc_objects.fs.errors import ConfigError

from dvc_hf.changes import Upload, Uploaded
from dvc_hf.entry import Entry
from dvc_hf.location import parse_path
from dvc_hf.log import logger
from dvc_hf.repository import Repository
from dvc_hf.uploads import upload
from dvc_hf.view import README, Plan, Shown, plan, read_manifest, refusal, write_manifest

MANIFEST = "files/published.json"
RANK_OF_MANIFEST, RANK_OF_NAMES = 1, 2  # so that what a broken push shows is known to be ours


@dataclass(frozen=True)
class Push:
    """A ``dvc push`` that is running."""

    repo: Any
    remote: str | None


_running: list[Push] = []


@contextmanager
def during(repo: Any, remote: str | None) -> Iterator[None]:
    """While a push runs, know of which repository and to which remote it is."""
    _running.append(Push(repo, remote))
    try:
        make_missing_repositories(_running[-1])
        yield
    finally:
        _running.pop()


def remotes(push: Push) -> dict[str, Any]:
    """The Hub remotes that a push writes to, by name."""
    config = push.repo.config
    default = push.remote or config["core"].get("remote")
    names = {default} | {out.remote for out in push.repo.index.outs}
    on_hub = {name for name in names if name and _url(config, name).startswith("hf://")}
    return {name: push.repo.cloud.get_remote(name) for name in sorted(on_hub)}


def _url(config: Any, name: str) -> str:
    section = config["remote"].get(name.lower(), {})
    url = str(section.get("url", ""))
    if url.startswith("remote://"):
        return _url(config, url.removeprefix("remote://").partition("/")[0])
    return url


def make_missing_repositories(push: Push) -> None:
    """Make the repositories of remotes that say ``create``."""
    for remote in remotes(push).values():
        client = remote.fs.open_repository(remote.path).client
        if client.create and not client.exists():
            client.make()


def stage_names() -> None:
    """Let the next commit also show the folders of the running push's remotes."""
    for push in _running[-1:]:
        for name, remote in remotes(push).items():
            if remote.config.get("publish"):
                View(push.repo, name, remote).stage()


@dataclass
class Tracked:
    """The files that DVC tracks below a folder."""

    md5s: dict[str, str] = field(default_factory=dict)
    hash_names: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


class View:
    """One remote's view of its folder."""

    def __init__(self, repo: Any, name: str, remote: Any) -> None:
        self.repo = repo
        self.name = name
        self.remote = remote
        self.hub: Repository = remote.fs.open_repository(remote.path)
        self.prefix = parse_path(remote.path).path_in_repo
        self.options = remote.config

    def stage(self) -> None:
        """Compare, then let the next commit make the difference."""
        tracked = self.tracked()
        owned = self._manifest()
        names = {self._path(name) for name in {*tracked.md5s, *owned}}
        there = {self._name(path): entry.etag for path, entry in self.hub.entries(names).items()}
        decided = plan(
            tracked.md5s,
            owned,
            there,
            unknown=tuple(tracked.unknown),
            publish_readme=bool(self.options.get("publish_readme")),
        )
        self._warn(decided)
        shown = {**decided.keep, **self._show(decided.show, tracked)}
        late = decided.show.keys() & owned.keys() & there.keys() - shown.keys()
        shown.update({name: owned[name] for name in late})  # its new object is not there yet
        for name in decided.hide:
            self.hub.batch.remove(self._path(name))
        if shown != owned:
            self._write_manifest(shown)

    # the folder ----------------------------------------------------------------------------------

    def tracked(self) -> Tracked:
        """The workspace's tracked files below the published folder."""
        tracked = Tracked()
        for out in self.repo.index.outs:
            if self._is_ours(out):
                self._add(out, tracked)
        return tracked

    def _is_ours(self, out: Any) -> bool:
        default = self.repo.config["core"].get("remote")
        running = _running[-1].remote if _running else None
        return bool(
            out.is_in_repo
            and out.use_cache
            and out.hash_info
            and (out.remote or running or default) == self.name
        )

    def _add(self, out: Any, tracked: Tracked) -> None:
        top = self._relative(tuple(self.repo.fs.relparts(out.fs_path, self.repo.root_dir)))
        if not out.hash_info.isdir:
            self._add_file(top, out.hash_info, tracked)
            return
        tree = out.get_obj()
        if tree is None:
            tracked.unknown.append("" if not top else "/".join(top) + "/")
            return
        base = tuple(self.repo.fs.relparts(out.fs_path, self.repo.root_dir))
        for key, _, hash_info in tree:
            self._add_file(self._relative((*base, *key)), hash_info, tracked)

    def _relative(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """A path below the published folder; an empty one is the folder itself, None lies outside."""
        folder = tuple(part for part in Path(self.options["publish"]).parts if part != ".")
        if parts[: len(folder)] == folder:
            return parts[len(folder) :]
        return () if folder[: len(parts)] == parts else None

    def _add_file(self, parts: tuple[str, ...] | None, hash_info: Any, tracked: Tracked) -> None:
        if not parts:
            return
        name = "/".join(parts)
        reason = refusal(name)
        if reason:
            logger.warning("'%s' is not shown in %s: %s.", name, self.hub.place.url, reason)
            return
        tracked.md5s[name] = hash_info.value
        tracked.hash_names[name] = hash_info.name

    # the repository ------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path

    def _manifest(self) -> dict[str, Shown]:
        path = self._path(MANIFEST)
        if path not in self.hub.entries([path]):
            return {}
        root = self.remote.fs.join(str(self.hub.place), path)
        try:
            return read_manifest(self.remote.fs.cat_file(root))
        except (ValueError, KeyError, TypeError):
            message = (
                f"cannot read '{path}' in {self.hub.place.url}: it should list the names that DVC shows "
                "there, and is damaged. Restore it from the repository's history, then push again."
            )
            raise ConfigError(message) from None

    def _write_manifest(self, shown: dict[str, Shown]) -> None:
        path = self._path(MANIFEST)
        if not shown:
            self.hub.batch.remove(path)
            return
        content = write_manifest(shown)
        ready = self.hub.client.inline(Upload(path, content))
        self.hub.batch.add(replace(ready, rank=RANK_OF_MANIFEST))

    def _warn(self, decided: Plan) -> None:
        for name in decided.foreign:
            hint = (
                f"'dvc remote modify {self.name} publish_readme true'"
                if name == README
                else "rename or remove it"
            )
            logger.warning(
                "'%s' in %s was not written by DVC, or was changed there since: it is left alone. "
                "To have it replaced: %s.",
                name,
                self.hub.place.url,
                hint,
            )

    def _show(self, names: dict[str, str], tracked: Tracked) -> dict[str, Shown]:
        """Stage names whose object is on the remote, or is about to be."""
        objects = {name: self._object(md5, tracked.hash_names[name]) for name, md5 in names.items()}
        entries = self.hub.entries(objects.values())
        small: list[Upload] = []
        shown: dict[str, Shown] = {}
        for name, path in objects.items():
            entry = entries.get(path)
            if entry is None:
                continue
            if entry.is_large:
                self._stage(name, entry)
                shown[name] = Shown(names[name], entry.etag)
            else:
                small.append(Upload(self._path(name), self._content(names[name], path)))
        for item, outcome in upload(self.hub.client, small, jobs=4):
            if isinstance(outcome, Exception):
                raise outcome
            self.hub.batch.add(replace(outcome, rank=RANK_OF_NAMES))
            shown[self._name(item.path)] = Shown(names[self._name(item.path)], outcome.etag)
        return shown

    def _object(self, md5: str, hash_name: str) -> str:
        odb = self.remote.odb if hash_name == "md5" else self.remote.legacy_odb
        return parse_path(odb.oid_to_path(md5)).path_in_repo

    def _stage(self, name: str, entry: Entry) -> None:
        copy = Uploaded(self._path(name), entry.size, entry.etag, is_large=True, is_copy=True)
        self.hub.batch.add(replace(copy, rank=RANK_OF_NAMES))

    def _content(self, md5: str, path: str) -> Path | bytes:
        """A small file's content, from DVC's cache or else from the remote."""
        local = Path(self.repo.cache.local.oid_to_path(md5))
        if local.is_file():
            return local
        return bytes(self.remote.fs.cat_file(f"{self.hub.place}/{path}"))
