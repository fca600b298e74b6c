"""The ``publish`` option: a folder's files under their plain names, in the commit with the objects."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from dvc_objects.fs.errors import ConfigError

from dvc_hf.commit.repository import Repository
from dvc_hf.commit.running import Push, running_push
from dvc_hf.commit.transaction import transaction
from dvc_hf.hub.changes import Entry, Upload, Uploaded
from dvc_hf.hub.location import parse_path
from dvc_hf.hub.uploads import upload_files
from dvc_hf.log import logger
from dvc_hf.publish import manifest
from dvc_hf.publish.plan import README, Plan, Shown, plan_names
from dvc_hf.publish.tracked import Folder, Tracked

MANIFEST = "files/published.json"
RANK_OF_MANIFEST, RANK_OF_NAMES = 1, 2  # so that what a broken push shows is known to be ours


def stage_names() -> None:
    """Let the next commit also show the folders of the running push's remotes."""
    push = running_push()
    if push is None:
        return
    for name, remote in push.remotes().items():
        if remote.config.get("publish"):
            View(push, name, remote).stage()


class View:
    """One remote's view of its folder."""

    def __init__(self, push: Push, name: str, remote: Any) -> None:
        self.push = push
        self.name = name
        self.remote = remote
        self.hub: Repository = remote.fs.open_repository(remote.path)
        self.prefix = parse_path(remote.path).path_in_repo
        self.options = remote.config

    def stage(self) -> None:
        """Compare, then let the next commit make the difference."""
        folder = Folder(self.push.repo, self.options["publish"], self.name, self.hub.place.url)
        tracked = folder.tracked(self.push.default_remote)
        owned = self._manifest()
        names = {self._path(name) for name in {*tracked.md5s, *owned}}
        there = {self._name(path): entry.etag for path, entry in self.hub.entries(names).items()}
        decided = plan_names(
            tracked.md5s,
            owned,
            there,
            unknown=tuple(tracked.unknown),
            publish_readme=bool(self.options.get("publish_readme")),
        )
        self._warn(decided)
        shown = {**decided.keep, **self._show(decided.show, tracked)}
        late = decided.show.keys() & owned.keys() & there.keys() - shown.keys()
        if not self._is_one_step():
            shown = _until_written(shown, decided, owned, there)
        shown.update({name: owned[name] for name in late})  # its new object is not there yet
        for name in decided.hide:
            self.hub.batch.remove(self._path(name))
        if shown != {name: owned[name] for name in owned if name in there or name in tracked.md5s}:
            self._write_manifest(shown)

    def _is_one_step(self) -> bool:
        """Whether all that is staged, and the manifest, is there at once or not at all."""
        batch = self.hub.batch
        return self.hub.client.IS_ATOMIC and len(batch.added) < batch.most_changes

    def _path(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path

    def _manifest(self) -> dict[str, Shown]:
        path = self._path(MANIFEST)
        entry = self.hub.entries([path]).get(path)
        if entry is None:
            return {}
        try:
            return manifest.read_manifest(self._manifest_text(entry))
        except manifest.ManifestError as error:
            message = (
                f"cannot read '{path}' in {self.hub.place.url}: it should list the names that DVC shows "
                f"there, and is damaged: {error}. Restore it from the repository's history, then push again."
            )
            raise ConfigError(message) from None

    def _manifest_text(self, entry: Entry) -> bytes:
        manifest.expect_size(entry.size)
        path = self.remote.fs.join(str(self.hub.place), entry.path)
        return bytes(self.remote.fs.cat_file(path))

    def _write_manifest(self, shown: dict[str, Shown]) -> None:
        path = self._path(MANIFEST)
        if not shown:
            self.hub.batch.remove(path)
            return
        content = manifest.write_manifest(shown)
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
                self._note_absent(name, names[name], path)
            elif entry.is_large:
                self._stage(name, entry)
                shown[name] = Shown(names[name], entry.etag)
            else:
                small.append(Upload(self._path(name), self._content(names[name], path)))
        for item, outcome in upload_files(self.hub.client, small, jobs=4):
            if isinstance(outcome, Exception):
                raise outcome
            self.hub.batch.add(replace(outcome, rank=RANK_OF_NAMES))
            shown[self._name(item.path)] = Shown(names[self._name(item.path)], outcome.etag)
        return shown

    def _note_absent(self, name: str, md5: str, path: str) -> None:
        """Fail for a name whose object is nowhere; one that is merely not pushed now is shown later."""
        batch = self.hub.batch
        is_known = path in batch.unsent or (not self.push.is_whole and self._local(md5).is_file())
        if is_known:
            return
        transaction.absent.add(path)
        logger.error(
            "cannot show '%s' in %s: its object %s is neither in DVC's cache nor on the remote. "
            "Push from a clone that has it, or track the file again with 'dvc add', then push.",
            name,
            self.hub.place.url,
            md5,
        )

    def _object(self, md5: str, hash_name: str) -> str:
        odb = self.remote.odb if hash_name == "md5" else self.remote.legacy_odb
        return parse_path(odb.oid_to_path(md5)).path_in_repo

    def _stage(self, name: str, entry: Entry) -> None:
        copy = Uploaded(self._path(name), entry.size, entry.etag, is_large=True, is_copy=True)
        self.hub.batch.add(replace(copy, rank=RANK_OF_NAMES))

    def _content(self, md5: str, path: str) -> Path | bytes:
        """A small file's content, from DVC's cache or else from the remote."""
        local = self._local(md5)
        if local.is_file():
            return local
        return bytes(self.remote.fs.cat_file(f"{self.hub.place}/{path}"))

    def _local(self, md5: str) -> Path:
        return Path(self.push.repo.cache.local.oid_to_path(md5))


def _until_written(
    shown: dict[str, Shown], decided: Plan, owned: dict[str, Shown], there: dict[str, str]
) -> dict[str, Shown]:
    """With what a push leaves that breaks after the manifest: old contents, and names that were to go."""
    changed = {name: replace(shown[name], before=there.get(name)) for name in decided.show if name in shown}
    return {**shown, **changed, **{name: owned[name] for name in decided.hide}}
