"""A `.dvc` file, as DVC writes it, read without DVC."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from beats_trainer.errors import PinError
from beats_trainer.place import SCHEME, Place, parse_place

WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt")
MD5 = re.compile(r"[0-9a-f]{32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
Table = Mapping[str, Any]


@dataclass(frozen=True)
class Pin:
    """What is known about one checkpoint: its name, size and digests, and where it may be fetched."""

    name: str
    filename: str
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Place, ...] = ()
    description: str = ""
    meta: Table = field(default_factory=dict)
    origin: str = ""

    @property
    def licence(self) -> str:
        """The licence as its publisher states it; empty when nobody does."""
        return str(self.meta.get("licence", ""))

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names that mean this checkpoint."""
        return tuple(str(alias) for alias in self.meta.get("aliases", ()))

    @property
    def key(self) -> str:
        """The public key, PEM, whose owner must have signed its repository; empty where nobody must."""
        return str(self.meta.get("key", ""))

    @property
    def golden(self) -> tuple[float, ...]:
        """What the encoder makes of the waveform of the self-check; empty where nobody has recorded it.

        Raises:
            PinError: `meta.golden` is no list of numbers.
        """
        try:
            return tuple(float(value) for value in self.meta.get("golden", ()))
        except (TypeError, ValueError) as error:
            message = (
                f"meta.golden of {self.origin} is {self.meta['golden']!r}; expected a list of numbers. "
                "Write the pin anew with `beats pin --golden`."
            )
            raise PinError(message) from error

    @property
    def noncommercial(self) -> bool:
        """Whether its licence forbids commercial use."""
        return "-nc" in self.licence.lower()

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
    meta: Table = field(default_factory=dict)
    origin: str = ""

    @property
    def listing(self) -> Pin:
        """The listing itself, as a file to fetch."""
        sources = (self.root.join(_object_path(self.md5) + ".dir"),) if self.root else ()
        return Pin(self.md5, f"{self.md5}.dir", None, {"md5": self.md5}, sources, origin=self.origin)

    def entries(self, listing: bytes) -> list[Pin]:
        """The checkpoints that the listing names; other files in the folder are none."""
        rows = _listing_rows(listing, self.origin)
        return [self._entry(row) for row in rows if row["relpath"].endswith(WEIGHTS)]

    def _entry(self, row: Mapping[str, str]) -> Pin:
        path = PurePosixPath(row["relpath"])
        sources = (self.root.join(_object_path(row["md5"])),) if self.root else ()
        name = str(path.with_suffix(""))
        return Pin(
            name, path.name, None, {"md5": row["md5"]}, sources, self.description, self.meta, self.origin
        )


def read_pin(path: Path) -> Pin | FolderPin:
    """Reads one `.dvc` file.

    Raises:
        PinError: It is not the `.dvc` file of a file or folder.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        out = document["outs"][0]
        target = str(out["path"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        message = (
            f"cannot read the pin {path}: {type(error).__name__}: {error}. "
            "Expected a .dvc file with one entry under `outs`; write it anew with `dvc add`."
        )
        raise PinError(message) from error
    if str(out.get("md5", "")).endswith(".dir"):
        md5 = str(out["md5"]).removesuffix(".dir")
        return FolderPin(md5, _remote_root(path, out), _text(document, "desc"), _meta(document), str(path))
    return _file_pin(path, document, out, target)


def _file_pin(path: Path, document: Table, out: Table, target: str) -> Pin:
    dep = (document.get("deps") or [{}])[0]
    meta = _meta(document)
    size = dep.get("size", out.get("size", meta.get("size")))
    filename = PurePosixPath(target).name
    return Pin(
        _name(filename),
        filename,
        int(size) if size is not None else None,
        _digests(dep, out, meta),
        tuple(_sources(path, dep, out, meta)),
        _text(document, "desc"),
        meta,
        str(path),
    )


def _digests(dep: Table, out: Table, meta: Table) -> dict[str, str]:
    sha256 = str(dep.get("etag", meta.get("sha256", "")))
    md5 = str(out.get("md5", meta.get("md5", "")))
    found = {"sha256": sha256 if SHA256.fullmatch(sha256) else "", "md5": md5 if MD5.fullmatch(md5) else ""}
    return {name: value for name, value in found.items() if value}


def _sources(path: Path, dep: Table, out: Table, meta: Table) -> list[Place]:
    places = []
    url = str(dep.get("path", ""))
    if url.startswith(SCHEME):
        place = parse_place(url, endpoint=str(meta.get("endpoint", "")))
        revision = str(dep.get("version_id") or place.revision)
        places.append(Place(place.repo_id, place.path, place.repo_type, revision, place.endpoint))
    elif not url and MD5.fullmatch(str(out.get("md5", ""))):
        root = _remote_root(path, out)
        places += [root.join(_object_path(out["md5"]))] if root else []
    endpoint = str(meta.get("endpoint", ""))
    return places + [parse_place(str(mirror), endpoint=endpoint) for mirror in meta.get("sources", ())]


def _name(filename: str) -> str:
    suffix = PurePosixPath(filename).suffix
    return filename.removesuffix(suffix) if suffix in WEIGHTS else filename


def _object_path(md5: str) -> str:
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def _meta(document: Table) -> dict[str, Any]:
    meta = document.get("meta")
    return dict(meta) if isinstance(meta, Mapping) else {}


def _text(document: Table, key: str) -> str:
    return " ".join(str(document.get(key) or "").split())


def _listing_rows(listing: bytes, origin: str) -> list[dict[str, str]]:
    try:
        return [{"md5": str(row["md5"]), "relpath": str(row["relpath"])} for row in json.loads(listing)]
    except (ValueError, KeyError, TypeError) as error:
        message = (
            f"the listing of {origin} is not one of DVC's: {error}. Push the folder again with `dvc push`."
        )
        raise PinError(message) from error


def _remote_root(pin: Path, out: Table) -> Place | None:
    """The root of the remote that the pin's repository pushes to, if that is a Hub."""
    for folder in pin.resolve().parents:
        config = folder / ".dvc" / "config"
        if config.is_file():
            return _config_root(config, str(out.get("remote", "")))
    return None


def _config_root(config: Path, remote: str) -> Place | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read([config, config.with_name("config.local")], encoding="utf-8")
    except configparser.Error as error:
        message = f"cannot read the DVC config {config}: {error}. Repair it with `dvc remote modify`."
        raise PinError(message) from error
    name = remote or parser.get("core", "remote", fallback="")
    section = f"'remote \"{name}\"'"
    url = parser.get(section, "url", fallback="")
    if not url.startswith(SCHEME):
        return None
    return parse_place(url, endpoint=parser.get(section, "endpointurl", fallback=""))
