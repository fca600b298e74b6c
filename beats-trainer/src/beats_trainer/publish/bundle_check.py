"""The files of a bundle, each compared with the manifest, and each checkpoint with its pin."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from beats_trainer.errors import BundleError
from beats_trainer.foreign.names import alike
from beats_trainer.foreign.texts import LARGEST_YAML, Text, parse_yaml
from beats_trainer.pins.digest import new_hash
from beats_trainer.pins.dvcfile import parse_pin
from beats_trainer.pins.pin import Pin
from beats_trainer.publish.bundle_archive import Archive, Member
from beats_trainer.publish.card import NAME as CARD

SUFFIX = ".dvc"
ADVICE = "Nothing was installed: do not use this bundle."


@dataclass(frozen=True)
class Carried:
    """A file whose every byte was compared; a pin is read, and is that of a checkpoint beside it."""

    member: Member
    md5: str
    pin: Pin | None = None


def check_bundle(archive: Archive, folder: Path | None = None) -> list[Carried]:
    """Looks at every file, and writes it to the folder if there is one; checkpoints come before pins.

    Raises:
        DigestMismatchError: A byte has changed.
        BundleError: A file is missing or too many, or a pin is none of its checkpoint.
    """
    found = [_taken(archive, member, blocks, folder) for member, blocks in archive.bodies()]
    _refuse_single(archive.bundle, found)
    return sorted(found, key=lambda one: one.pin is not None)


def _taken(archive: Archive, member: Member, blocks: Iterable[bytes], folder: Path | None) -> Carried:
    is_pin = member.path.endswith(SUFFIX)
    origin = Text("the pin", f"{member.path} in {archive.bundle}", ADVICE, BundleError)
    if is_pin and member.size > LARGEST_YAML:
        origin.refuse(f"it has {member.size:,} bytes", f"at most {LARGEST_YAML:,}")
    running, text = new_hash("md5"), []
    with (folder / member.path if folder else Path(os.devnull)).open("wb") as sink:
        for block in blocks:
            running.update(block)
            sink.write(block)
            text += [block] if is_pin else []
    return Carried(member, running.hexdigest(), _pin(member, b"".join(text), origin) if is_pin else None)


def _pin(member: Member, data: bytes, origin: Text) -> Pin:
    document = parse_yaml(data, origin)
    pin = parse_pin(document)
    if not isinstance(pin, Pin) or f"{pin.filename}{SUFFIX}" != member.path:
        document["outs"].refuse(f"the file {member.path.removesuffix(SUFFIX)}")
    return pin


def _refuse_single(bundle: Path, found: Sequence[Carried]) -> None:
    pins = {one.pin.filename: one.pin for one in found if one.pin is not None}
    files = {one.member.path: one for one in found if one.pin is None and one.member.path != CARD}
    for name in sorted(pins.keys() ^ files.keys()):
        lacks = name if name in pins else f"{name}{SUFFIX}"
        message = f"{bundle} holds no {lacks}; expected every checkpoint with its pin. {ADVICE}"
        raise BundleError(message)
    for name, one in files.items():
        _compare(bundle, one, pins[name])
    refuse_other_weights(pins.values(), pins.values(), f"in {bundle}", ADVICE)


def refuse_other_weights(pins: Iterable[Pin], there: Collection[Pin], where: str, advice: str) -> None:
    """Refuses pins that give a name to weights, which means other ones already.

    Raises:
        BundleError: With the name.
    """
    for pin, other in ((pin, other) for pin in pins for other in there):
        shared = _names(pin) & _names(other)
        if shared and not _is_same(pin, other):
            message = (
                f"{sorted(shared)[0]} means other weights {where}: expected those of {pin.filename}, got "
                f"those of {other.filename}, as {other.origin} says. {advice}"
            )
            raise BundleError(message)


def _names(pin: Pin) -> set[str]:
    return {alike(name) for name in (pin.name, pin.filename, *pin.aliases)}


def _is_same(pin: Pin, other: Pin) -> bool:
    return any(other.digests.get(kind) == digest for kind, digest in pin.digests.items())


def _compare(bundle: Path, one: Carried, pin: Pin) -> None:
    differ = list(_differences(one, pin))
    if differ or not pin.digests:
        member = one.member
        found = f"{member.size:,} bytes, sha256 {member.sha256}, md5 {one.md5}"
        message = (
            f"{member.path} in {bundle} is not what its pin says: expected "
            f"{', '.join(differ) or 'a digest'}, got {found}. {ADVICE}"
        )
        raise BundleError(message)


def _differences(one: Carried, pin: Pin) -> Iterator[str]:
    there = {"sha256": one.member.sha256, "md5": one.md5}
    yield from (f"{kind} {digest}" for kind, digest in pin.digests.items() if there[kind] != digest)
    if pin.size not in (None, one.member.size):
        yield f"{pin.size:,} bytes"
