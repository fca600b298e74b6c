"""Where the files of a bundle go on a shelf: beside what is there, never in its place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from beats_trainer.errors import BundleError, PinError
from beats_trainer.pins.digest import file_digest
from beats_trainer.pins.pin import Pin, read_pin
from beats_trainer.publish.bundle_check import SUFFIX, Carried

ADVICE = "Nothing was installed. Remove the one on the shelf, or install into another folder with --to."


def shelve_files(carried: Sequence[Carried], staged: Path, shelf: Path) -> list[Path]:
    """Moves files from one folder to another, and returns where they are then.

    Raises:
        BundleError: The shelf has other bytes under one of the names; nothing was moved.
    """
    _refuse_other_weights([one.pin for one in carried if one.pin is not None], shelf)
    places = [(staged / one.member.path, _place(one, shelf)) for one in carried]
    for source, place in places:
        if not place.exists():
            _move(source, place)
    return [place for _, place in places]


def _refuse_other_weights(pins: Iterable[Pin], shelf: Path) -> None:
    """A name that means weights on the shelf must go on meaning these."""
    there = [pin for path in sorted(shelf.glob(f"*{SUFFIX}")) for pin in _pins_of(path)]
    for pin in pins:
        for other in there:
            shared = _names(pin) & _names(other)
            if shared and not _is_same(pin, other):
                message = (
                    f"{sorted(shared)[0]} means other weights on the shelf {shelf}: expected those of "
                    f"{pin.filename}, got those of {other.filename}, as {other.origin} says. {ADVICE}"
                )
                raise BundleError(message)


def _pins_of(path: Path) -> list[Pin]:
    try:
        pin = read_pin(path)
    except PinError:
        return []  # it gives nothing a name, and is told of wherever names are looked up
    return [pin] if isinstance(pin, Pin) else []


def _names(pin: Pin) -> set[str]:
    return {name.casefold() for name in (pin.name, pin.filename, *pin.aliases)}


def _is_same(pin: Pin, other: Pin) -> bool:
    return any(other.digests.get(kind) == digest for kind, digest in pin.digests.items())


def _place(one: Carried, shelf: Path) -> Path:
    """Where a file goes; where it has the bytes of one that is there, that one."""
    place = _namesake(shelf / one.member.path)
    if not place.exists() or file_digest(place, "sha256") == one.member.sha256:
        return place
    if one.pin is not None:  # other words on the same weights: both stay, and the older is asked first
        return place.with_name(f"{one.pin.filename}.pin-{one.member.sha256[:8]}{SUFFIX}")
    message = (
        f"{place} has other bytes than {one.member.path} of the bundle: expected sha256 {one.member.sha256}. "
        f"{ADVICE}"
    )
    raise BundleError(message)


def _namesake(place: Path) -> Path:
    """A file beside this place that some systems take for it, or the place itself."""
    folded = place.name.casefold()
    return next((path for path in place.parent.iterdir() if path.name.casefold() == folded), place)


def _move(source: Path, place: Path) -> None:
    """Gives a file its place, unless somebody else was there in the meantime."""
    try:
        os.link(source, place)
    except FileExistsError as error:
        message = f"{place} was made by somebody else while the bundle was read. {ADVICE}"
        raise BundleError(message) from error
    except OSError:  # a disk without links
        source.replace(place)
