"""Where the files of a bundle go on a shelf: beside what is there, never in its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from beats_trainer.errors import BundleError, PinError
from beats_trainer.foreign.names import alike
from beats_trainer.pins.digest import file_digest
from beats_trainer.pins.dvcfile import read_pin
from beats_trainer.pins.pin import Pin
from beats_trainer.publish.bundle_check import SUFFIX, Carried, refuse_other_weights

ADVICE = "Nothing was installed. Remove the one on the shelf, or install into another folder with --to."


def shelve_files(carried: Sequence[Carried], staged: Path, shelf: Path) -> list[Path]:
    """Moves files from one folder to another, and returns where they are then.

    Raises:
        BundleError: The shelf has other bytes under one of the names; nothing was moved.
    """
    there = [pin for path in sorted(shelf.glob(f"*{SUFFIX}")) for pin in _pins_of(path)]
    pins = [one.pin for one in carried if one.pin is not None]
    refuse_other_weights(pins, there, f"on the shelf {shelf}", ADVICE)
    places = [(staged / one.member.path, _place(one, shelf)) for one in carried]
    for source, place in places:
        if not place.exists():
            _move(source, place)
    return [place for _, place in places]


def _pins_of(path: Path) -> list[Pin]:
    try:
        pin = read_pin(path)
    except PinError:
        return []  # it gives nothing a name, and is told of wherever names are looked up
    return [pin] if isinstance(pin, Pin) else []


def _place(one: Carried, shelf: Path) -> Path:
    """Where a file goes; where it has the bytes of one that is there, that one."""
    place = _namesake(shelf / one.member.path)
    if not os.path.lexists(place) or (place.is_file() and file_digest(place, "sha256") == one.member.sha256):
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
    name = alike(place.name)
    return next((path for path in place.parent.iterdir() if alike(path.name) == name), place)


def _move(source: Path, place: Path) -> None:
    """Gives a file its place, unless somebody else was there in the meantime."""
    try:
        os.link(source, place)
    except FileExistsError as error:
        message = f"{place} was made by somebody else while the bundle was read. {ADVICE}"
        raise BundleError(message) from error
    except OSError:  # a disk without links
        source.replace(place)
