"""Checkpoints in one file, to be carried where no internet is: weights, pins, card, manifest of digests."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from beats_trainer.atomic import written_whole
from beats_trainer.errors import BundleError
from beats_trainer.foreign.names import is_plain
from beats_trainer.hub.fetch import fetch_checkpoint, find_checkpoint
from beats_trainer.hub.lookup import hub_name, is_hub_name
from beats_trainer.pins.address import SCHEME, parse_place
from beats_trainer.pins.digest import new_hash
from beats_trainer.pins.folders import default_shelf
from beats_trainer.pins.pin import Pin
from beats_trainer.publish.bundle_archive import FORMAT, MANIFEST, Member, open_bundle, refuse_twins
from beats_trainer.publish.bundle_check import SUFFIX, check_bundle, refuse_other_weights
from beats_trainer.publish.bundle_install import shelve_files
from beats_trainer.publish.card import NAME as CARD
from beats_trainer.publish.card import CardRow, card_text, row_of

__all__ = ["FORMAT", "MANIFEST", "BundleError", "Member", "create_bundle", "install_bundle", "verify_bundle"]

COMMIT_LETTERS = 12
ADVICE = "Put them into two bundles."


def create_bundle(names: Iterable[str], output: Path, *, allow_noncommercial: bool = False) -> list[Member]:
    """Writes a bundle of checkpoints, fetching those that are not here.

    Where it is installed, each is found by the name that is given here.
    """
    asked = list(names)
    pins = [find_checkpoint(name) for name in asked]
    paths = [fetch_checkpoint(pin, allow_noncommercial=allow_noncommercial) for pin in pins]
    carried = [_carried(name, pin) for name, pin in zip(asked, pins, strict=True)]
    entries = [row_of(path, pin.filename, pin) for pin, path in zip(carried, paths, strict=True)]
    members = [Member(str(entry.path), entry.size, entry.sha256) for entry in entries]
    refuse_twins(members, "these checkpoints")
    known = [
        replace(pin, digests={"sha256": entry.sha256}) for pin, entry in zip(carried, entries, strict=True)
    ]
    refuse_other_weights(known, known, "among these checkpoints", ADVICE)
    texts = {
        f"{entry.path}{SUFFIX}": _pin_text(pin, entry) for pin, entry in zip(carried, entries, strict=True)
    }
    texts[CARD] = card_text(entries)
    blobs = {name: text.encode() for name, text in sorted(texts.items())}
    members += [Member(name, len(data), _sha256(data)) for name, data in blobs.items()]
    _write(output, members, blobs, dict(zip((str(entry.path) for entry in entries), paths, strict=True)))
    return members


def verify_bundle(bundle: Path) -> list[Member]:
    """Compares every byte of a bundle with its manifest, and every checkpoint with its pin.

    Raises:
        DigestMismatchError: A byte has changed.
        BundleError: It is no bundle, a file is missing or too many, or a pin is none of its checkpoint.
    """
    with open_bundle(bundle) as archive:
        return [one.member for one in check_bundle(archive)]


def install_bundle(bundle: Path, shelf: Path | None = None) -> list[Path]:
    """Verifies a bundle and puts its files on a shelf, where `fetch` finds them by digest.

    Nothing of a bundle that is not whole is installed, and nothing that is on the shelf is replaced.

    Raises:
        DigestMismatchError: A byte has changed.
        BundleError: It is no bundle, not a whole one, or the shelf has other weights under one of its names.
    """
    target = default_shelf() if shelf is None else shelf
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=".incomplete", dir=target) as staged:
        with open_bundle(bundle) as archive:
            carried = check_bundle(archive, Path(staged))
        return shelve_files([one for one in carried if one.member.path != CARD], Path(staged), target)


def _carried(asked: str, pin: Pin) -> Pin:
    """The pin as it travels, with the name that was asked for; one of the Hub gets a file name of its own."""
    names = [asked] if asked.casefold() not in (pin.name.casefold(), pin.filename.casefold()) else []
    if is_hub_name(asked):
        name = hub_name(asked)
        fixed = replace(parse_place(SCHEME + name), revision=pin.sources[0].revision)
        names = [name, hub_name(str(fixed))]
        pin = replace(pin, filename=_own_filename(pin))
    aliases = list(dict.fromkeys([*pin.aliases, *names]))
    return replace(pin, meta={**pin.meta, "aliases": aliases}) if aliases else pin


def _own_filename(pin: Pin) -> str:
    """A name that no other file of the Hub has: most are called model.safetensors."""
    place = pin.sources[0]
    name = f"{place.repo_id.replace('/', '--')}@{place.revision[:COMMIT_LETTERS]}--{pin.filename}"
    suffix = PurePosixPath(pin.filename).suffix
    return name if is_plain(name + SUFFIX) else f"{_sha256(str(place).encode())}{suffix}"


def _write(output: Path, members: Sequence[Member], blobs: dict[str, bytes], files: dict[str, Path]) -> None:
    """All at once: pins and card first, so that who reads it knows what follows."""
    with written_whole(output) as whole, tarfile.open(whole, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, MANIFEST, _manifest(members))
        for name, data in blobs.items():
            _add(tar, name, data)
        for name, path in files.items():
            _add_file(tar, name, path)


def _pin_text(pin: Pin, entry: CardRow) -> str:
    meta: dict[str, Any] = {**pin.meta, "sha256": entry.sha256, "size": entry.size}
    meta.pop("md5", None)  # stands where DVC has it
    meta["sources"] = [str(place) for place in pin.sources]
    meta.pop("key", None)  # looked at when the bundle was made; where it goes nobody can fetch a signature
    document = {"desc": pin.description, "outs": [{"path": pin.filename, "md5": entry.md5}], "meta": meta}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _manifest(members: Sequence[Member]) -> bytes:
    return json.dumps({"format": FORMAT, "files": [asdict(member) for member in members]}, indent=2).encode()


def _sha256(data: bytes) -> str:
    running = new_hash("sha256")
    running.update(data)
    return running.hexdigest()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    info = tarfile.TarInfo(name)
    info.size = path.stat().st_size
    with path.open("rb") as file:
        tar.addfile(info, file)
