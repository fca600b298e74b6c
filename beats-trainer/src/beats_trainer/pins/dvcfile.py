"""A `.dvc` file, in every form that DVC writes, read without DVC."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from beats_trainer.errors import PinError
from beats_trainer.foreign.names import is_inner, is_plain
from beats_trainer.foreign.texts import Field, Text, parse_yaml, read_bytes
from beats_trainer.pins.address import SCHEME, Place, place_of
from beats_trainer.pins.digest import GIT_SHA1, MD5, SHA256
from beats_trainer.pins.dvcconfig import DvcConfig, Remote, find_config
from beats_trainer.pins.pin import FOLDER, WEIGHTS, FolderPin, Pin, object_path, read_digest

NAME = "a plain file name"


def read_pin(path: Path) -> Pin | FolderPin:
    """Reads one `.dvc` file.

    Raises:
        PinError: It is not the `.dvc` file of a file or folder; the message names the file and the field.
    """
    return parse_pin(_document(path), path)


def _document(path: Path) -> Field:
    origin = Text("the pin", str(path), "Write it anew with `dvc add` or `beats pin`.", PinError)
    return parse_yaml(read_bytes(path, origin), origin)


def claimed_names(path: Path) -> set[str]:
    """What a pin that cannot be read would be called, as far as it can be seen, in lower case."""
    filenames = {path.stem}
    with suppress(PinError):
        filenames |= {PurePosixPath(out["path"].text()).name for out in _document(path)["outs"].items()}
    return {name.casefold() for filename in filenames for name in (filename, PurePosixPath(filename).stem)}


def parse_pin(document: Field, path: Path | None = None) -> Pin | FolderPin:
    """The pin that the document of a `.dvc` file states.

    Args:
        document: The whole of it; faults are raised as its origin says.
        path: Where it lies: the DVC config above it says where its objects are. Without it nothing does.
    """
    outs = document["outs"].items()
    if not outs:
        document["outs"].refuse("a list with one entry")
    out = Output(document, outs[0], path)
    if not outs[0]["path"].text():
        outs[0]["path"].refuse("the path of a file or folder")
    if out.md5.endswith(FOLDER) or outs[0]["files"].items():
        return out.folder_pin()
    return out.file_pin()


@dataclass(frozen=True)
class Output:
    """The one output of a `.dvc` file, and the repository that says where its bytes are."""

    document: Field
    out: Field
    path: Path | None

    @property
    def md5(self) -> str:
        """The md5 as it stands: that of a folder's listing ends in `.dir`."""
        return self.out["md5"].text()

    @property
    def is_legacy(self) -> bool:
        """Whether DVC 2 wrote it: its objects lie elsewhere."""
        return not self.out["hash"].text()

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The table of what the publisher states."""
        return _read_meta(self.document["meta"])

    @cached_property
    def dep(self) -> Field:
        """Where the output was imported from."""
        deps = self.document["deps"].items()
        return deps[0] if deps else Field(self.document.origin, "deps[0]", None)

    @cached_property
    def is_of_other_repository(self) -> bool:
        """Whether `dvc import` wrote it: then no push brings it to the remote of this repository."""
        return bool(self.dep["repo"].table())

    @cached_property
    def config(self) -> DvcConfig | None:
        """The DVC config of the pin's repository."""
        return find_config(self.path) if self.path else None

    @property
    def remote(self) -> Remote | None:
        """The remote that the repository pushes the output to, if that is on a Hub."""
        return self.config.find_remote(self.out["remote"].text()) if self.config else None

    @property
    def description(self) -> str:
        """What the pin says of itself, on one line."""
        return " ".join(self.document["desc"].text().split())

    def folder_pin(self) -> FolderPin:
        """The pin of a folder, by its listing or with its files."""
        md5 = self.md5.removesuffix(FOLDER)
        if self.md5 and not MD5.fullmatch(md5):
            self.out["md5"].refuse("an md5 and .dir")
        root = None if self.remote is None or self.is_of_other_repository else self.remote.root
        held = tuple(self._held_pins())
        origin = self.document.origin.file
        return FolderPin(md5, root, self.description, self.meta, origin, held, is_legacy=self.is_legacy)

    def _held_pins(self) -> Iterator[Pin]:
        for row in self.out["files"].items():
            relpath = row["relpath"].text()
            if not is_inner(relpath):
                row["relpath"].refuse("a path inside the folder")
            if not relpath.endswith(WEIGHTS):
                continue
            path = PurePosixPath(relpath)
            places, digests = self._versions(row, relpath)
            digests |= _present(md5=read_digest(row["md5"], MD5))
            name, size = str(path.with_suffix("")), row["size"].whole()
            yield self._pin(name, path.name, size, digests, places)

    def file_pin(self) -> Pin:
        """The pin of one file."""
        filename = PurePosixPath(self.out["path"].text()).name
        if not is_plain(filename):
            self.out["path"].refuse(f"a path that ends in {NAME}")
        stated = self.document["meta"]
        sizes = [field["size"].whole() for field in (self.dep, self.out, stated)]
        size = next((size for size in sizes if size is not None), None)
        places, seen = self._places()
        sha256 = _imported_digest(self.dep) or read_digest(stated["sha256"], SHA256)
        md5 = read_digest(self.out["md5"], MD5) or read_digest(stated["md5"], MD5)
        digests = seen | _present(sha256=sha256, md5=md5)
        mirrors = [place_of(mirror, stated["endpoint"].text()) for mirror in stated["sources"].items()]
        return self._pin(_name(filename), filename, size, digests, [*places, *mirrors])

    def _pin(
        self, name: str, filename: str, size: int | None, digests: Mapping[str, str], places: list[Place]
    ) -> Pin:
        sources, origin = tuple(places), self.document.origin.file
        return Pin(name, filename, size, digests, sources, self.description, self.meta, origin)

    def _places(self) -> tuple[list[Place], dict[str, str]]:
        """Where the one file lies, and the digests that its Hub has for it."""
        url = self.dep["path"].text()
        if url.startswith(SCHEME):
            place = place_of(self.dep["path"], self.document["meta"]["endpoint"].text())
            version = self.dep["version_id"].text()
            return [replace(place, revision=version or place.revision)], {}
        if self.is_of_other_repository or (url and not self.out["cloud"].table()):
            return [], {}
        return self._versions(self.out)

    def _versions(self, field: Field, inside: str = "") -> tuple[list[Place], dict[str, str]]:
        """The places of a file by its `cloud` entries, else as an object of the remote."""
        places: list[Place] = []
        digests: dict[str, str] = {}
        for name, version in field["cloud"].fields():
            remote = self.config.find_remote(name) if self.config else None
            if remote is not None:
                places.append(self._plain_place(remote, inside, version["version_id"]))
                digests |= _present(sha256=version["etag"].text()) if _has_sha256(version["etag"]) else {}
        return places or self._remote_places(read_digest(field["md5"], MD5), inside), digests

    def _remote_places(self, md5: str, inside: str) -> list[Place]:
        remote = self.remote
        if remote is None:
            return []
        if remote.is_plain:
            return [self._plain_place(remote, inside, Field(self.out.origin, "", None))]
        return [remote.root.join(object_path(md5, is_legacy=self.is_legacy))] if md5 else []

    def _plain_place(self, remote: Remote, inside: str, version: Field) -> Place:
        """A file under its own name below the repository, as `version_aware` and `worktree` keep it."""
        path = "/".join(part for part in (self._relative_path(), inside) if part)
        place = remote.root.join(path)
        return _at_version(place, version) if version.text() else place

    def _relative_path(self) -> str:
        """The path of the output below the root of its repository."""
        root = self.config.folder.parent if self.config else Path()
        folder = self.path.resolve().parent if self.path else root
        target = os.path.normpath(folder / self.document["wdir"].text() / self.out["path"].text())
        relative = Path(os.path.relpath(target, root)).as_posix()
        if not is_inner(relative):
            self.out["path"].refuse("a path inside the DVC repository")
        return relative


def _at_version(place: Place, version: Field) -> Place:
    try:
        return replace(place, revision=version.text())
    except PinError as error:
        version.refuse("a commit of the Hub", error)


def _has_sha256(etag: Field) -> bool:
    return SHA256.fullmatch(etag.text()) is not None


def _present(**digests: str) -> dict[str, str]:
    return {name: value for name, value in digests.items() if value}


def _imported_digest(dep: Field) -> str:
    """The digest that the Hub has for the file; other stores have tags that are none."""
    etag = dep["etag"].text()
    if SHA256.fullmatch(etag):
        return etag
    if etag and dep["path"].text().startswith(SCHEME) and not GIT_SHA1.fullmatch(etag):
        dep["etag"].refuse("a sha256")
    return ""


def _name(filename: str) -> str:
    suffix = PurePosixPath(filename).suffix
    return filename.removesuffix(suffix) if suffix in WEIGHTS else filename


def _read_meta(meta: Field) -> dict[str, Any]:
    """The table as it stands, once what is read of it has its type; what nobody reads may be anything."""
    for name in ("licence", "key", "endpoint"):
        meta[name].text()
    for name in ("aliases", "sources"):
        meta[name].texts()
    for number in meta["golden"].items():
        number.number()
    meta["scores"].table()
    return {name: value.value for name, value in meta.fields() if value.value is not None}
