"""The ``publish`` option: a folder's files under their plain names, in the commit with the objects."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dvc_hf.commit.batch import UNSEEN_S
from dvc_hf.commit.repository import Repository
from dvc_hf.commit.running import Push, running_push
from dvc_hf.commit.transaction import transaction
from dvc_hf.hub.changes import Entry, Upload, Uploaded
from dvc_hf.hub.kinds import LARGEST_TEXT, is_text
from dvc_hf.hub.location import parse_path
from dvc_hf.hub.uploads import upload_files
from dvc_hf.log import logger
from dvc_hf.publish import manifest
from dvc_hf.publish.plan import MOST_IN_A_FOLDER, README, Plan, Shown, crowded_folders, plan_names
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
        self.head: str | None = None  # the commit that all is read at; a bucket has none

    def stage(self) -> None:
        """Compare, then let the next commit make the difference: on the commit that was compared, or anew."""
        self._fix_head()
        tracked = self.tracked
        owned = self._manifest()
        names = {*tracked.md5s, *(owned or {})}
        listed = self._listed(names)
        there = {name: entry for name, entry in listed.items() if name in names and not entry.is_folder}
        etags = {name: entry.etag for name, entry in there.items()}
        if owned is None:
            owned = self._recovered(there)
        decided = self._decide(tracked, owned, there, self._blocked(tracked, owned, listed))
        self._warn(decided)
        if not tracked.md5s and not tracked.unknown and not owned:
            logger.warning(
                "DVC tracks nothing in '%s', which 'publish' of remote '%s' names: no plain names are shown. "
                "Add files there, or correct it with 'dvc remote modify %s publish FOLDER'.",
                self.options["publish"],
                self.name,
                self.name,
            )
        shown = {**decided.keep, **self._show(decided.show, tracked)}
        late = decided.show.keys() & owned.keys() & there.keys() - shown.keys()
        if not self._is_one_step():
            shown = _until_written(shown, decided, owned, etags)
        shown.update({name: owned[name] for name in late})  # its new object is not there yet
        for name in decided.hide:
            self.hub.batch.remove(self._path(name))
        if shown != {name: owned[name] for name in owned if name in there or name in tracked.md5s}:
            self._write_manifest(shown)

    def _fix_head(self) -> None:
        """Let all be read at one commit, and be committed on that alone."""
        batch = self.hub.batch
        if not self.hub.client.IS_ATOMIC:
            return
        batch.parent = self.head = batch.parent or self.hub.client.head()
        if self.stage not in batch.reckon:
            batch.reckon.append(self.stage)

    @cached_property
    def tracked(self) -> Tracked:
        """What DVC tracks below the folder."""
        folder = Folder(self.push.repo, self.options["publish"], self.name, self.hub.place.url)
        return folder.tracked(self.push.default_remote)

    def _listed(self, names: set[str]) -> dict[str, Entry]:
        """What is there under the names, and under those of the folders that they are in."""
        asked = names.union(*map(_folders_of, names))
        entries = self.hub.client.entries({self._path(name) for name in asked}, self.head)
        return {self._name(path): entry for path, entry in entries.items()}

    def _blocked(self, tracked: Tracked, owned: dict[str, Shown], listed: dict[str, Entry]) -> set[str]:
        """Names that git could hold only if something went that is not ours: no file is a folder too."""

        def is_foreign(name: str, entry: Entry) -> bool:
            return not (name in owned and owned[name].is_ours(entry.etag))

        blocked = set()
        for name in tracked.md5s:
            above = {folder: listed[folder] for folder in _folders_of(name) if folder in listed}
            in_the_way = {folder: entry for folder, entry in above.items() if not entry.is_folder}
            if name in listed and listed[name].is_folder:
                below = self.hub.client.tree(self._path(name), self.head, recursive=True)
                in_the_way |= {self._name(entry.path): entry for entry in below if not entry.is_folder}
            if any(is_foreign(*found) for found in in_the_way.items()):
                blocked.add(name)
        return blocked

    def _decide(
        self, tracked: Tracked, owned: dict[str, Shown], there: dict[str, Entry], blocked: set[str]
    ) -> Plan:
        """What to do, once what somebody else has put there with our very bytes counts as ours."""
        etags = {name: entry.etag for name, entry in there.items()}
        wanted, unknown = tracked.md5s, tuple(tracked.unknown)
        is_ours = bool(self.options.get("publish_readme"))
        decided = plan_names(wanted, owned, etags, unknown=unknown, publish_readme=is_ours, blocked=blocked)
        equal = self._equal([name for name in decided.foreign if name in there], tracked, there)
        if not equal:
            return decided
        known = owned | {name: Shown(wanted[name], etags[name]) for name in equal}
        return plan_names(wanted, known, etags, unknown=unknown, publish_readme=is_ours, blocked=blocked)

    def _equal(self, names: list[str], tracked: Tracked, there: dict[str, Entry]) -> list[str]:
        """Those of the names whose bytes in the repository are those of the object to show."""
        objects = {name: self._object(tracked.md5s[name], tracked.hash_names[name]) for name in names}
        stored = self._objects(objects.values())
        return [name for name in names if self._is_equal(there[name], stored.get(objects[name]), name)]

    def _is_equal(self, shown: Entry, stored: Entry | None, name: str) -> bool:
        if stored is None or shown.size != stored.size:
            return False
        if shown.is_large == stored.is_large:
            return shown.etag == stored.etag
        local = self._local(self.tracked.md5s[name])  # one is known by git's name, the other by its sha256
        return local.is_file() and self.hub.client.digest(local, shown) == shown.etag

    def _recovered(self, there: dict[str, Entry]) -> dict[str, Shown]:
        """Names of ours, found by what they show: an object that DVC has put there."""
        if not there:
            return {}
        listed = self.hub.client.tree(self._path("files/md5"), self.head, recursive=True)
        md5s = {entry.etag: "".join(entry.path.split("/")[-2:]) for entry in listed if not entry.is_folder}
        found = {name: md5s.get(there[name].etag) or self._md5_of(there[name]) for name in there}
        known = set(md5s.values())
        return {name: Shown(md5, there[name].etag) for name, md5 in found.items() if md5 in known}

    def _md5_of(self, entry: Entry) -> str:
        """The md5 of a text: under its own name it is no large file, and has another etag than its object."""
        if entry.is_large or entry.size > LARGEST_TEXT:
            return ""
        return hashlib.md5(self._read(entry), usedforsecurity=False).hexdigest()

    def _is_one_step(self) -> bool:
        """Whether all that is staged, and the manifest, is there at once or not at all."""
        batch = self.hub.batch
        return self.hub.client.IS_ATOMIC and len(batch.added) < batch.most_changes

    def _path(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path

    def _manifest(self) -> dict[str, Shown] | None:
        """Which names are ours; None where the repository does not say, or is damaged there."""
        path = self._path(MANIFEST)
        entry = self.hub.client.entries([path], self.head).get(path)
        if entry is None:
            return None
        try:
            return manifest.read_manifest(self._manifest_text(entry))
        except manifest.ManifestError as error:
            logger.warning(
                "'%s' in %s should list the names that DVC shows there, and is damaged: %s. It is written "
                "anew: names that show an object of DVC's are taken for ours, all others are left alone.",
                path,
                self.hub.place.url,
                error,
            )
            return None

    def _manifest_text(self, entry: Entry) -> bytes:
        manifest.expect_size(entry.size)
        return self._read(entry)

    def _read(self, entry: Entry) -> bytes:
        path = self.remote.fs.join(str(self.hub.place.at(self.head or self.hub.place.revision)), entry.path)
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
        for folder, count in crowded_folders({*decided.show, *decided.keep}).items():
            logger.warning(
                "%s would show %d entries in %s, and the Hub takes %d in a folder: if it refuses the push, "
                "divide them into subfolders and push again.",
                self.hub.place.url,
                count,
                f"'{folder}'" if folder else "its top folder",
                MOST_IN_A_FOLDER,
            )
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
        entries = self._objects(objects.values())
        small: list[Upload] = []
        shown: dict[str, Shown] = {}
        for name, path in objects.items():
            entry = entries.get(path)
            if entry is None:
                self._note_absent(name, names[name], path)
            elif entry.is_large and not self._is_text(names[name], entry):
                self._stage(name, entry)
                shown[name] = Shown(names[name], entry.etag)
            else:
                small.append(Upload(self._path(name), self._content(names[name], path)))
        for item, outcome in upload_files(self.hub.client, small, jobs=4):
            if isinstance(outcome, Exception):
                raise outcome
            # What the Hub shows under the name was compared above, at one commit.
            self.hub.batch.add(replace(outcome, rank=RANK_OF_NAMES, is_unchanged=False))
            shown[self._name(item.path)] = Shown(names[self._name(item.path)], outcome.etag)
        return shown

    def _objects(self, paths: Iterable[str]) -> dict[str, Entry]:
        """The objects that are staged, or there: at the commit that is read, or seen there by this push."""
        wanted, batch = set(paths), self.hub.batch
        found = self.hub.entries(wanted & batch.added.keys())
        found |= self.hub.client.entries(wanted - found.keys(), self.head)
        seen = (wanted - found.keys()) & batch.relied
        for pause in UNSEEN_S if seen else ():
            found |= self.hub.client.entries(seen)
            if seen <= found.keys():
                break
            time.sleep(pause)
        return found

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

    def _is_text(self, md5: str, entry: Entry) -> bool:
        """Whether the name shows a text, such as a card, which no link to the store may stand for."""
        return entry.size < LARGEST_TEXT and is_text(self._bytes(md5, entry.path))

    def _bytes(self, md5: str, path: str) -> bytes:
        content = self._content(md5, path)
        return content if isinstance(content, bytes) else content.read_bytes()

    def _content(self, md5: str, path: str) -> Path | bytes:
        """A small file's content, from DVC's cache or else from the remote."""
        local = self._local(md5)
        if local.is_file():
            return local
        return bytes(self.remote.fs.cat_file(f"{self.hub.place}/{path}"))

    def _local(self, md5: str) -> Path:
        return Path(self.push.repo.cache.local.oid_to_path(md5))


def _folders_of(name: str) -> list[str]:
    """The folders that a name is in, the outermost first."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _until_written(
    shown: dict[str, Shown], decided: Plan, owned: dict[str, Shown], there: dict[str, str]
) -> dict[str, Shown]:
    """With what a push leaves that breaks after the manifest: old contents, and names that were to go."""
    changed = {name: replace(shown[name], before=there.get(name)) for name in decided.show if name in shown}
    return {**shown, **changed, **{name: owned[name] for name in decided.hide}}
