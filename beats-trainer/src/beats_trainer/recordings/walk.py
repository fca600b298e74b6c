"""Recordings below a folder: links followed, hidden and system folders passed by, what is left out, said."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from beats_trainer.foreign.names import escaped

SYSTEM = frozenset({"$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle"})
# Recordings that nothing here reads, and what does.
FOREIGN: Mapping[str, str] = {
    ".wac": "Wildlife Acoustics' compressed form: Kaleidoscope, or wac2wavcmd, makes WAV of it",
    ".w4v": "Wildlife Acoustics' compressed form: Kaleidoscope makes WAV of it",
    ".zc": "zero crossings, no sound",
    ".ape": "Monkey's Audio: ffmpeg makes FLAC of it",
    ".wv": "WavPack: wvunpack makes WAV of it",
    ".dsf": "DSD: ffmpeg makes FLAC of it",
    ".x3a": "SoundTrap's compressed form: SoundTrap Host makes WAV of it",
    ".sud": "SoundTrap's compressed form: SoundTrap Host makes WAV of it",
}
_LONGEST = 200  # letters of a path in a sentence
_NAMED = 5  # kinds that a sentence tells one by one


@dataclass
class LeftOut:
    """What a walk passed by: hidden things, links that lead nowhere, other files by their suffix."""

    hidden: int = 0
    broken: int = 0
    special: int = 0
    closed: list[str] = field(default_factory=list)
    suffixes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        foreign = [f"{n:,} {s} ({FOREIGN[s]})" for s, n in self.suffixes.items() if s in FOREIGN]
        others = Counter({s: n for s, n in self.suffixes.items() if s not in FOREIGN})
        shown = ", ".join(f"{n:,} {s}" for s, n in others.most_common(_NAMED))
        more = f", {len(others) - _NAMED} more kinds" if len(others) > _NAMED else ""
        parts = [
            *foreign,
            f"other files: {shown}{more}" if others else "",
            f"{self.hidden:,} hidden or of the system" if self.hidden else "",
            f"{self.broken:,} links that lead nowhere (dvc pull or git annex get brings them)"
            if self.broken
            else "",
            f"{self.special:,} that are no files" if self.special else "",
            f"{len(self.closed):,} folders that cannot be opened, the first {self.closed[0]}"
            if self.closed
            else "",
        ]
        return "; ".join(part for part in parts if part)


def is_hidden(name: str) -> bool:
    """Whether this is hidden, or the system's: no recorder makes such a name, and deleted files lie there."""
    return name.startswith(".") or name.casefold() in SYSTEM


def walk_folder(folder: str, suffixes: Collection[str], left_out: LeftOut) -> Iterator[str]:
    """The files below a folder that end in one of the suffixes, in the order of their names."""
    yield from _walk(suffixes, left_out, {_identity(folder)}, _listed(folder))


def _walk(
    suffixes: Collection[str], left_out: LeftOut, seen: set[object], entries: list[os.DirEntry[str]]
) -> Iterator[str]:
    for entry in entries:
        if is_hidden(entry.name):
            left_out.hidden += 1
        elif entry.is_dir():
            yield from _below(entry.path, suffixes, left_out, seen)
        elif _is_file(entry, left_out):
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - the name may be bytes of any kind
            if suffix in suffixes:
                yield entry.path
            else:
                left_out.suffixes[escaped(suffix) or "without a suffix"] += 1


def _below(folder: str, suffixes: Collection[str], left_out: LeftOut, seen: set[object]) -> Iterator[str]:
    """What is in a folder further down; one that cannot be opened costs its own recordings alone."""
    try:
        identity, entries = _identity(folder), _listed(folder)
    except OSError as error:  # no right to it, a name too long for the system, a card that is going bad
        left_out.closed.append(f"{_shortened(escaped(folder))} ({error.strerror})")
        return
    if identity not in seen:  # a link to a folder above would lead round and round
        yield from _walk(suffixes, left_out, {*seen, identity}, entries)


def _listed(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def _shortened(path: str) -> str:
    return path if len(path) <= _LONGEST else f"{path[: _LONGEST // 2]}...{path[-_LONGEST // 2 :]}"


def _is_file(entry: os.DirEntry[str], left_out: LeftOut) -> bool:
    if entry.is_file():
        return True
    if entry.is_symlink():
        left_out.broken += 1
    else:
        left_out.special += 1
    return False


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116
    return status.st_dev, status.st_ino
