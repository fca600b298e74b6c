"""What is to be embedded: files, folders, globs, lists and URLs; each recording once, sorted."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from beats_trainer.audio.decode import FFMPEG_SUFFIXES, SOUNDFILE_SUFFIXES
from beats_trainer.foreign.names import escaped
from beats_trainer.recordings.filenames import PLAIN_NAMES, NameRules
from beats_trainer.recordings.lists import read_list
from beats_trainer.recordings.metadata import Deployment
from beats_trainer.recordings.remote import is_url, list_remote, public_name
from beats_trainer.recordings.walk import LeftOut, walk_folder

SUFFIXES = SOUNDFILE_SUFFIXES | FFMPEG_SUFFIXES
LISTS = {".txt", ".csv", ".tsv"}


@dataclass(frozen=True)
class Source:
    """One recording: where it is, and the name that it has in the table."""

    location: str
    name: str
    deployment: Deployment = field(default=Deployment())
    rules: NameRules = field(default=PLAIN_NAMES)

    @property
    def remote(self) -> bool:
        """Whether it must be fetched before it can be read."""
        return is_url(self.location)

    @property
    def number(self) -> int:
        """The same on every machine: which shard has it follows from this."""
        return int.from_bytes(hashlib.blake2b(self.name.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True)
class Survey:
    """The recordings that are meant, and what was passed by."""

    sources: list[Source]
    left_out: LeftOut


def find_sources(
    places: Iterable[str | Path],
    *,
    relative_to: str | Path | None = None,
    shard: Shard | None = None,
    rules: NameRules = PLAIN_NAMES,
) -> list[Source]:
    """All recordings that are meant, sorted by name.

    Args:
        places: Files, folders (recursive), globs, `.txt` or `.csv` lists, URLs of fsspec.
        relative_to: Recordings are named by their path from here; by their full path without it.
        shard: Only the part of the recordings that belongs to it.
        rules: How names are read.

    Raises:
        FileNotFoundError: A place does not exist, or there is no recording in any.
        ValueError: A line of a list cannot be read.
    """
    return survey_sources(places, relative_to=relative_to, shard=shard, rules=rules).sources


def survey_sources(
    places: Iterable[str | Path],
    *,
    relative_to: str | Path | None = None,
    shard: Shard | None = None,
    rules: NameRules = PLAIN_NAMES,
) -> Survey:
    """What `find_sources` finds, and what it passed by."""
    root = Path(relative_to).resolve() if relative_to is not None else None
    found: dict[str, Source] = {}
    left_out = LeftOut()
    for place in places:
        for location, deployment in _expand(str(place), left_out):
            name = _name(location, root)
            found.setdefault(name, Source(location, name, deployment, rules))
    if not found:
        passed = f" Left out: {left_out}." if str(left_out) else ""
        message = (
            f"there is no recording to embed.{passed} Looked for files that end in "
            f"{', '.join(sorted(SUFFIXES))}; name others one by one."
        )
        raise FileNotFoundError(message)
    ordered = [found[name] for name in sorted(found)]
    return Survey([s for s in ordered if shard is None or shard.has(s.number)], left_out)


def _expand(place: str, left_out: LeftOut) -> Iterator[tuple[str, Deployment]]:
    plain = Deployment()
    if is_url(place):
        yield from ((url, plain) for url in list_remote(place, SUFFIXES))
        return
    path = Path(place)
    if path.is_dir():
        yield from ((found, plain) for found in walk_folder(place, SUFFIXES, left_out))
    elif path.is_file() and path.suffix.lower() in LISTS:
        yield from read_list(path)
    elif path.is_file():
        yield place, plain
    elif path.exists():
        message = f"{escaped(place)} is no file and no folder but a device or a pipe. Expected recordings."
        raise FileNotFoundError(message)
    else:
        yield from ((found, plain) for found in _globbed(place, left_out))


def _globbed(pattern: str, left_out: LeftOut) -> Iterator[str]:
    matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207
    if not matches:
        message = (
            f"there is no file or folder {escaped(pattern)}, and no file matches it. "
            "Expected recordings or folders."
        )
        raise FileNotFoundError(message)
    for match in matches:
        path = Path(match)
        if path.is_dir():
            yield from walk_folder(match, SUFFIXES, left_out)
        elif path.suffix.lower() in SUFFIXES and path.is_file():
            yield match


def _name(location: str, root: Path | None) -> str:
    """As text: what a path holds that is none is escaped."""
    if is_url(location):
        return escaped(public_name(location))
    full = Path(location).absolute()
    if root is None:
        return escaped(full.as_posix())
    try:
        return escaped(PurePosixPath(_below(full, root)).as_posix())
    except ValueError as error:
        message = (
            f"{escaped(location)} is not below {root}. Choose another folder to name recordings relative to."
        )
        raise ValueError(message) from error


def _below(full: Path, root: Path) -> Path:
    """From the root, by the way that was given; where a link leads elsewhere, by where it leads."""
    for way in (full, full.parent.resolve() / full.name, full.resolve()):
        if way.is_relative_to(root):
            return way.relative_to(root)
    return full.resolve().relative_to(root)


# `K/N`: the part of the recordings that one of N machines takes.
@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, from 1."""

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def has(self, number: int) -> bool:
        """Whether the recording with this number belongs to it: each belongs to exactly one."""
        return number % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """Reads `K/N`."""
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.index <= shard.count:
        message = f"{text!r} is no shard. Expected K/N with K from 1 to N, for example 3/16."
        raise ValueError(message)
    return shard
