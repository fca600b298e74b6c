"""Checkpoints in one file, to be carried where no internet is: weights, pins, card, manifest of digests."""

from __future__ import annotations

import io
import itertools
import json
import os
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import yaml

from beats_trainer.card import Entry, card_text
from beats_trainer.digest import file_digest, new_hash
from beats_trainer.errors import BeatsError, DigestMismatchError
from beats_trainer.fetch import fetch_checkpoint, find_checkpoint
from beats_trainer.pinfile import Pin
from beats_trainer.shelf import default_shelf

MANIFEST = "manifest.json"
FORMAT = "beats-bundle 1"
BLOCK = 1 << 20
LARGEST_MANIFEST = 10_000_000  # bytes


class BundleError(BeatsError, ValueError):
    """A file is no bundle, or not a whole one."""


@dataclass(frozen=True)
class Member:
    """One file of a bundle."""

    path: str
    size: int
    sha256: str


def create(names: Iterable[str], output: Path, *, allow_noncommercial: bool = False) -> list[Member]:
    """Writes a bundle of checkpoints, fetching those that are not here."""
    pins = [find_checkpoint(name) for name in names]
    paths = [fetch_checkpoint(pin, allow_noncommercial=allow_noncommercial) for pin in pins]
    entries = [_entry(pin, path) for pin, path in zip(pins, paths, strict=True)]
    texts = {f"{pin.filename}.dvc": _pin_text(pin, entry) for pin, entry in zip(pins, entries, strict=True)}
    texts["README.md"] = card_text(entries)
    blobs = {name: text.encode() for name, text in sorted(texts.items())}
    members = [Member(str(entry.path), entry.size, entry.sha256) for entry in entries]
    members += [Member(name, len(data), _sha256(data)) for name, data in blobs.items()]
    _refuse_twins(members)
    temporary = output.with_name(f"{output.name}.{uuid.uuid4().hex[:8]}.incomplete")
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, MANIFEST, _manifest(members))
            for name, data in blobs.items():
                _add(tar, name, data)
            for entry, path in zip(entries, paths, strict=True):
                _add_file(tar, str(entry.path), path)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return members


def verify(bundle: Path) -> list[Member]:
    """Compares every byte of a bundle with its manifest, and every checkpoint with its pin.

    Raises:
        DigestMismatchError: A byte has changed.
        BundleError: It is no bundle, or a file is missing or too many.
    """
    return _walk(bundle, None)


def install(bundle: Path, shelf: Path | None = None) -> list[Path]:
    """Verifies a bundle and puts its files on a shelf, where `fetch` finds them by digest.

    Nothing of a bundle that is not whole is installed.
    """
    target = default_shelf() if shelf is None else shelf
    target.mkdir(parents=True, exist_ok=True)
    staging = target / f".{uuid.uuid4().hex[:8]}.incomplete"
    staging.mkdir()
    try:
        members = _walk(bundle, staging)
        kept = [member for member in members if member.path != "README.md"]
        for member in kept:
            (staging / member.path).replace(target / member.path)
    finally:
        for left in staging.iterdir():
            left.unlink()
        staging.rmdir()
    return [target / member.path for member in kept]


def _walk(bundle: Path, target: Path | None) -> list[Member]:
    with _opened(bundle) as tar:
        members = _read_manifest(bundle, tar)
        missing = {member.path: member for member in members}
        for info in itertools.islice(tar, 1, None):
            member = missing.pop(info.name, None)
            if member is None or not info.isreg():
                message = f"{bundle} holds {info.name!r}, which its manifest does not name. It was not used."
                raise BundleError(message)
            _copy(bundle, tar.extractfile(info), member, target)
    if missing:
        message = f"{bundle} is not whole: {', '.join(missing)} missing. Carry it again."
        raise BundleError(message)
    return members


@contextmanager
def _opened(bundle: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(bundle, "r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, BeatsError):
            raise
        message = f"{bundle} is no bundle that can be read ({error}). Expected one of `beats bundle create`."
        raise BundleError(message) from error


def _read_manifest(bundle: Path, tar: tarfile.TarFile) -> list[Member]:
    info = tar.next()
    file = tar.extractfile(info) if info and info.name == MANIFEST and info.isreg() else None
    if file is None or info is None or info.size > LARGEST_MANIFEST:
        message = f"{bundle} does not begin with {MANIFEST}: it is none of `beats bundle create`."
        raise BundleError(message)
    manifest = json.loads(file.read())
    if manifest.get("format") != FORMAT:
        message = (
            f"{bundle} has the format {manifest.get('format')!r}, expected {FORMAT!r}. Is it a newer one?"
        )
        raise BundleError(message)
    members = [Member(str(m["path"]), int(m["size"]), str(m["sha256"])) for m in manifest["files"]]
    for member in members:
        if PurePosixPath(member.path).name != member.path or member.path in ("", ".", ".."):
            message = f"{bundle} names {member.path!r}, which is no plain file name. Nothing was installed."
            raise BundleError(message)
    return members


def _copy(bundle: Path, source: IO[bytes] | None, member: Member, target: Path | None) -> None:
    running, size = new_hash("sha256"), 0
    sink = (target / member.path if target else Path(os.devnull)).open("wb")
    with sink:
        while source is not None and (block := source.read(BLOCK)):
            running.update(block)
            size += len(block)
            sink.write(block)
    if (size, running.hexdigest()) != (member.size, member.sha256):
        message = (
            f"{member.path} in {bundle} has changed: expected {member.size:,} bytes, sha256 {member.sha256}, "
            f"got {size:,} bytes, sha256 {running.hexdigest()}. Nothing was installed: carry it again."
        )
        raise DigestMismatchError(message)


def _entry(pin: Pin, path: Path) -> Entry:
    digests = {name: file_digest(path, name) for name in ("sha256", "md5")}
    filename = PurePosixPath(pin.filename)
    return Entry(filename, path.stat().st_size, digests["sha256"], digests["md5"], pin)


def _pin_text(pin: Pin, entry: Entry) -> str:
    meta: dict[str, Any] = {**pin.meta, "sha256": entry.sha256, "size": entry.size}
    meta["sources"] = [str(place) for place in pin.sources]
    meta.pop("key", None)  # looked at when the bundle was made; where it goes nobody can fetch a signature
    document = {"desc": pin.description, "outs": [{"path": pin.filename, "md5": entry.md5}], "meta": meta}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _refuse_twins(members: list[Member]) -> None:
    names = [member.path for member in members]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        message = f"two checkpoints are called {', '.join(twins)}. Put them into two bundles."
        raise BundleError(message)


def _manifest(members: list[Member]) -> bytes:
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
