"""A `.dvc` file, as DVC writes it, read without DVC."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from beats_trainer.errors import FetchError, PinError
from beats_trainer.foreign.names import is_inner, is_plain
from beats_trainer.foreign.texts import Field, Text, decode_text, parse_json, parse_yaml, read_bytes
from beats_trainer.pins.address import SCHEME, Place, parse_place
from beats_trainer.pins.digest import GIT_SHA1, MD5, SHA256
from beats_trainer.pins.localconfig import is_users
from beats_trainer.redaction import veiled

WEIGHTS_NAME = "model.safetensors"  # in a repository that `beats publish` writes
WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt")
FOLDER = ".dir"
NAME = "a plain file name"
ADDRESS = "an address hf://[datasets/]OWNER/NAME[@REVISION][/PATH]"
Meta = Mapping[str, Any]


@dataclass(frozen=True)
class Pin:
    """What is known about one checkpoint: its name, size and digests, and where it may be fetched."""

    name: str
    filename: str
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Place, ...] = ()
    description: str = ""
    meta: Meta = field(default_factory=dict)
    origin: str = ""

    def __repr__(self) -> str:
        size = "of unknown size" if self.size is None else f"{self.size:,} bytes"
        digest = next((f"{kind} {value[:12]}" for kind, value in self.digests.items()), "no digest")
        place = str(self.sources[0]) if self.sources else "no address"
        return veiled(f"<Pin {self.name}: {size}, {digest}, {self.licence or 'licence not stated'}, {place}>")

    @property
    def licence(self) -> str:
        """The licence as its publisher states it; empty when nobody does."""
        return str(self.meta.get("licence") or "")

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names that mean this checkpoint."""
        return tuple(str(alias) for alias in self.meta.get("aliases") or ())

    @property
    def key(self) -> str:
        """The public key, PEM, whose owner must have signed its repository; empty where nobody must."""
        return str(self.meta.get("key") or "")

    @property
    def golden(self) -> tuple[float, ...]:
        """What the encoder makes of the waveform of the self-check; empty where nobody has recorded it."""
        return tuple(float(value) for value in self.meta.get("golden") or ())

    @property
    def noncommercial(self) -> bool:
        """Whether its licence forbids commercial use."""
        return "-nc" in self.licence.lower()

    def joined(self, other: Pin) -> Pin:
        """This pin, and the places of another that may mean the same bytes: this one's digests judge them.

        Where a digest of both proves that they are the same, what only the other one knows is known too.
        """
        shared = self.digests.keys() & other.digests.keys()
        sizes = {size for size in (self.size, other.size) if size is not None}
        differ = len(sizes) > 1 or any(self.digests[kind] != other.digests[kind] for kind in shared)
        if differ or not self.digests:
            return self
        places = tuple(dict.fromkeys((*self.sources, *other.sources)))
        if not shared:
            return replace(self, sources=places)
        digests, meta = {**other.digests, **self.digests}, {**other.meta, **self.meta}
        said, size = self.description or other.description, next(iter(sizes), None)
        return replace(self, size=size, digests=digests, sources=places, description=said, meta=meta)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The fields that nobody has confirmed yet."""
        moves = bool(self.sources) and not self.digests and not self.sources[0].is_pinned
        missing = {
            "size": self.size is None,
            "digest": not self.digests,
            "place": not self.sources,
            "commit": moves,  # where a digest is pinned, the commit decides nothing
        }
        return tuple(name for name, absent in missing.items() if absent)


@dataclass(frozen=True)
class FolderPin:
    """The pin of a whole folder: the md5 of a listing, which lies on the Hub beside the objects it names."""

    md5: str
    root: Place | None
    description: str = ""
    meta: Meta = field(default_factory=dict)
    origin: str = ""

    @property
    def listing(self) -> Pin:
        """The listing itself, as a file to fetch."""
        sources = (self.root.join(_object_path(self.md5) + ".dir"),) if self.root else ()
        return Pin(self.md5, f"{self.md5}.dir", None, {"md5": self.md5}, sources, origin=self.origin)

    def entries(self, listing: bytes) -> list[Pin]:
        """The checkpoints that the listing names; other files in the folder are none.

        Raises:
            PinError: It is no listing of DVC's, or a name in it leads out of its folder.
        """
        advice = "Push the folder again with `dvc push`."
        rows = parse_json(listing, Text("the listing of", self.origin, advice, PinError)).items()
        return [self._entry(row) for row in rows if row["relpath"].text().endswith(WEIGHTS)]

    def _entry(self, row: Field) -> Pin:
        relpath, md5 = row["relpath"].text(), _digest(row["md5"], MD5)
        if not is_inner(relpath):
            row["relpath"].refuse("a path inside the folder")
        if not md5:
            row["md5"].refuse("an md5")
        path = PurePosixPath(relpath)
        sources = (self.root.join(_object_path(md5)),) if self.root else ()
        name = str(path.with_suffix(""))
        return Pin(name, path.name, None, {"md5": md5}, sources, self.description, self.meta, self.origin)


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
    out, meta = outs[0], _meta(document["meta"])
    target, md5 = out["path"].text(), out["md5"].text()
    if not target:
        out["path"].refuse("the path of a file or folder")
    if not md5.endswith(FOLDER):
        return _file_pin(path, document, out, meta)
    if not MD5.fullmatch(md5.removesuffix(FOLDER)):
        out["md5"].refuse("an md5 and .dir")
    root, said = _remote_root(path, out), _said(document)
    return FolderPin(md5.removesuffix(FOLDER), root, said, meta, document.origin.file)


def _file_pin(path: Path | None, document: Field, out: Field, meta: Meta) -> Pin:
    deps = document["deps"].items()
    dep = deps[0] if deps else Field(document.origin, "deps[0]", None)
    sizes = (dep["size"].whole(), out["size"].whole(), document["meta"]["size"].whole())
    filename = PurePosixPath(out["path"].text()).name
    if not is_plain(filename):
        out["path"].refuse(f"a path that ends in {NAME}")
    return Pin(
        _name(filename),
        filename,
        next((size for size in sizes if size is not None), None),
        _digests(dep, out, document["meta"]),
        tuple(_sources(path, dep, out, document["meta"])),
        _said(document),
        meta,
        document.origin.file,
    )


def _digests(dep: Field, out: Field, meta: Field) -> dict[str, str]:
    found = {
        "sha256": _etag(dep) or _digest(meta["sha256"], SHA256),
        "md5": _digest(out["md5"], MD5) or _digest(meta["md5"], MD5),
    }
    return {name: value for name, value in found.items() if value}


def _etag(dep: Field) -> str:
    """The digest that the Hub has for the file; other stores have tags that are none."""
    etag = dep["etag"].text()
    if SHA256.fullmatch(etag):
        return etag
    if etag and dep["path"].text().startswith(SCHEME) and not GIT_SHA1.fullmatch(etag):
        dep["etag"].refuse("a sha256")
    return ""


def _digest(value: Field, pattern: re.Pattern[str]) -> str:
    digest = value.text()
    if digest and not pattern.fullmatch(digest):
        value.refuse("a sha256" if pattern is SHA256 else "an md5")
    return digest


def _sources(path: Path | None, dep: Field, out: Field, meta: Field) -> list[Place]:
    places = []
    url, endpoint = dep["path"].text(), meta["endpoint"].text()
    if url.startswith(SCHEME):
        places.append(_place(dep["path"], endpoint, dep["version_id"].text()))
    elif not url and MD5.fullmatch(out["md5"].text()):
        root = _remote_root(path, out)
        places += [root.join(_object_path(out["md5"].text()))] if root else []
    return places + [_place(mirror, endpoint) for mirror in meta["sources"].items()]


def _place(url: Field, endpoint: str, revision: str = "", *, by_user: bool = False) -> Place:
    try:
        place = parse_place(url.text(), endpoint=endpoint, by_user=by_user)
        return replace(place, revision=revision or place.revision)
    except PinError as error:
        url.refuse(f"{ADDRESS} ({str(error)[:200]})", error)


def _name(filename: str) -> str:
    suffix = PurePosixPath(filename).suffix
    return filename.removesuffix(suffix) if suffix in WEIGHTS else filename


def _object_path(md5: str) -> str:
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def _meta(meta: Field) -> dict[str, Any]:
    """The table as it stands, once what is read of it has its type; what nobody reads may be anything."""
    for name in ("licence", "key", "endpoint"):
        meta[name].text()
    for name in ("aliases", "sources"):
        meta[name].texts()
    for number in meta["golden"].items():
        number.number()
    meta["scores"].table()
    return {name: value.value for name, value in meta.fields() if value.value is not None}


def _said(document: Field) -> str:
    return " ".join(document["desc"].text().split())


def _remote_root(pin: Path | None, out: Field) -> Place | None:
    """The root of the remote that the pin's repository pushes to, if that is a Hub."""
    for folder in pin.resolve().parents if pin else ():
        config = folder / ".dvc" / "config"
        if config.is_file():
            return _config_root(config, out["remote"].text())
    return None


def _config_root(config: Path, remote: str) -> Place | None:
    origin = Text("the DVC config", str(config), "Repair it with `dvc remote modify`.", PinError)
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    for path in (config, config.with_name("config.local")):
        if path.is_file():
            _read_config(path, parser, origin)
    name = remote or parser.get("core", "remote", fallback="")
    section = f"'remote \"{name}\"'"
    url = parser.get(section, "url", fallback="")
    if not url.startswith(SCHEME):
        return None
    endpoint = parser.get(section, "endpointurl", fallback="")
    by_user = is_users(config.with_name("config.local"), section)
    return _place(Field(origin, f"{section}.url", url), endpoint, by_user=by_user)


def _read_config(path: Path, parser: configparser.ConfigParser, origin: Text) -> None:
    try:
        parser.read_string(decode_text(read_bytes(path, origin), origin), str(path))
    except configparser.Error as error:
        origin.refuse(" ".join(str(error).split())[:200], "sections of names and values", error)


def pin_document(pin: Pin, golden: Sequence[float] = (), key: str = "") -> str:
    """The `.dvc` file of a resolved pin, in the form that `dvc import-url --no-download` writes.

    Args:
        pin: From `resolve_name`.
        golden: What the encoder makes of the waveform of the self-check, for `meta.golden`.
        key: A public key, PEM, for `meta.key`: every fetch of this pin will ask for its owner's signature.

    Raises:
        FetchError: The Hub gave no SHA-256, so that nothing could be verified.
    """
    place, sha256 = pin.sources[0], pin.digests.get("sha256")
    if sha256 is None:
        message = f"the Hub has no sha256 for {place}: it is no LFS file. Publish it anew as a large file."
        raise FetchError(message)
    source = Place(place.repo_id, place.path, place.repo_type)
    meta = {name: value for name, value in pin.meta.items() if value}
    if golden:
        meta["golden"] = [round(value, 6) for value in golden]
    if key:
        meta["key"] = key
    document = {
        "deps": [{"path": str(source), "etag": sha256, "version_id": place.revision, "size": pin.size}],
        "frozen": True,
        "outs": [{"path": pin.filename}],
        "meta": meta | ({"endpoint": place.endpoint} if place.endpoint else {}),
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
