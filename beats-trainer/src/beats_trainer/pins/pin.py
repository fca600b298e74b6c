"""What a pin says of a checkpoint, or of a folder of them; and the pin that `beats pin` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import yaml

from beats_trainer.errors import FetchError, PinError
from beats_trainer.foreign.names import is_inner
from beats_trainer.foreign.texts import Field, Text, parse_json
from beats_trainer.pins.address import Place
from beats_trainer.pins.digest import MD5, SHA256
from beats_trainer.redaction import veiled

WEIGHTS_NAME = "model.safetensors"  # in a repository that `beats publish` writes
WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt")
FOLDER = ".dir"
LAYOUT = "files/md5/"  # since DVC 3
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
    """The pin of a whole folder: the md5 of a listing, which lies on the Hub beside the objects it names.

    Args:
        held: The checkpoints in it, where the pin itself names its files and there is no listing.
    """

    md5: str
    root: Place | None
    description: str = ""
    meta: Meta = field(default_factory=dict)
    origin: str = ""
    held: tuple[Pin, ...] = ()
    is_legacy: bool = False

    @property
    def listing(self) -> Pin:
        """The listing itself, as a file to fetch."""
        digests, sources = {"md5": self.md5}, self._sources(self.md5 + FOLDER)
        name = self.md5 + FOLDER
        return Pin(self.md5, name, None, digests, sources, origin=self.origin)

    def _sources(self, md5: str) -> tuple[Place, ...]:
        path = object_path(md5, is_legacy=self.is_legacy)
        return (self.root.join(path),) if self.root else ()

    def entries(self, listing: bytes) -> list[Pin]:
        """The checkpoints that the listing names; other files in the folder are none.

        Raises:
            PinError: It is no listing of DVC's, or a name in it leads out of its folder.
        """
        advice = "Push the folder again with `dvc push`."
        rows = parse_json(listing, Text("the listing of", self.origin, advice, PinError)).items()
        return [self._entry(row) for row in rows if row["relpath"].text().endswith(WEIGHTS)]

    def _entry(self, row: Field) -> Pin:
        relpath, md5 = row["relpath"].text(), read_digest(row["md5"], MD5)
        if not is_inner(relpath):
            row["relpath"].refuse("a path inside the folder")
        if not md5:
            row["md5"].refuse("an md5")
        path = PurePosixPath(relpath)
        name, said = str(path.with_suffix("")), (self.description, self.meta, self.origin)
        return Pin(name, path.name, None, {"md5": md5}, self._sources(md5), *said)


def read_digest(value: Field, pattern: re.Pattern[str]) -> str:
    """The digest that a field holds; empty where it holds none.

    Raises:
        PinError: It holds something else.
    """
    digest = value.text()
    if digest and not pattern.fullmatch(digest):
        value.refuse("a sha256" if pattern is SHA256 else "an md5")
    return digest


def object_path(md5: str, *, is_legacy: bool = False) -> str:
    """Where DVC keeps an object below a remote or a cache; DVC 2 kept it elsewhere."""
    return f"{'' if is_legacy else LAYOUT}{md5[:2]}/{md5[2:]}"


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
