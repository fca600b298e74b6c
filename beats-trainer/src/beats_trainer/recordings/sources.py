"""What is to be embedded: files, folders, globs, lists and URLs; each recording once, sorted."""

from __future__ import annotations

import csv
import glob
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from beats_trainer.audio.decode import FFMPEG_SUFFIXES, SOUNDFILE_SUFFIXES
from beats_trainer.recordings.metadata import Deployment
from beats_trainer.recordings.remote import is_url, list_remote, public_name

SUFFIXES = SOUNDFILE_SUFFIXES | FFMPEG_SUFFIXES
LISTS = {".txt", ".csv", ".tsv"}
_PATH_COLUMNS = ("recording", "file", "path", "filename", "url")
_FACT_COLUMNS = ("datetime", "device", "latitude", "longitude")


@dataclass(frozen=True)
class Source:
    """One recording: where it is, and the name that it has in the table."""

    location: str
    name: str
    deployment: Deployment = field(default=Deployment())

    @property
    def remote(self) -> bool:
        """Whether it must be fetched before it can be read."""
        return is_url(self.location)

    @property
    def number(self) -> int:
        """The same on every machine: which shard has it follows from this."""
        return int.from_bytes(hashlib.blake2b(self.name.encode(), digest_size=8).digest(), "big")


def find_sources(
    places: Iterable[str | Path], *, relative_to: str | Path | None = None, shard: Shard | None = None
) -> list[Source]:
    """All recordings that are meant, sorted by name.

    Args:
        places: Files, folders (recursive), globs, `.txt` or `.csv` lists, URLs of fsspec.
        relative_to: Recordings are named by their path from here; by their full path without it.
        shard: Only the part of the recordings that belongs to it.

    Raises:
        FileNotFoundError: A place does not exist, or there is no recording in any.
    """
    root = Path(relative_to).resolve() if relative_to is not None else None
    found: dict[str, Source] = {}
    for place in places:
        for location, deployment in _expand(str(place)):
            name = _name(location, root)
            found.setdefault(name, Source(location, name, deployment))
    if not found:
        message = (
            "there is no recording to embed. Looked for files that end in "
            f"{', '.join(sorted(SUFFIXES))}; name others one by one."
        )
        raise FileNotFoundError(message)
    ordered = [found[name] for name in sorted(found)]
    return ordered if shard is None else [source for source in ordered if shard.has(source.number)]


def _expand(place: str) -> Iterator[tuple[str, Deployment]]:
    plain = Deployment()
    if is_url(place):
        yield from ((url, plain) for url in list_remote(place, SUFFIXES))
        return
    path = Path(place)
    if path.is_dir():
        yield from ((str(p), plain) for p in _in_folder(path))
    elif path.is_file() and path.suffix.lower() in LISTS:
        yield from _in_list(path)
    elif path.is_file():
        yield place, plain
    else:
        yield from ((str(p), plain) for p in _globbed(place))


def _in_folder(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _globbed(pattern: str) -> Iterator[Path]:
    matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207
    if not matches:
        message = (
            f"there is no file or folder {pattern}, and no file matches it. Expected recordings or folders."
        )
        raise FileNotFoundError(message)
    for match in map(Path, matches):
        if match.is_dir():
            yield from _in_folder(match)
        elif match.suffix.lower() in SUFFIXES:
            yield match


def _in_list(path: Path) -> Iterator[tuple[str, Deployment]]:
    """One location a line; or a table with a column for it, and perhaps for what is known of each."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix.lower() == ".txt":
            lines = (line.strip() for line in file)
            yield from ((_beside(path, line), Deployment()) for line in lines if line and line[0] != "#")
            return
        rows = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        column = next((c for c in _PATH_COLUMNS if c in (rows.fieldnames or [])), None)
        if column is None:
            message = (
                f"{path} has no column with recordings: it has {', '.join(rows.fieldnames or ['none'])}, "
                f"expected one of {', '.join(_PATH_COLUMNS)}."
            )
            raise ValueError(message)
        for row in rows:
            yield _beside(path, row[column]), _deployment(row)


def _beside(listing: Path, location: str) -> str:
    """Relative paths in a list are seen from the list."""
    return location if is_url(location) else str(listing.parent / location)


def _deployment(row: dict[str, str]) -> Deployment:
    facts = {name: row[name] for name in _FACT_COLUMNS if row.get(name)}
    return Deployment(
        datetime=datetime.fromisoformat(facts["datetime"]) if "datetime" in facts else None,
        device=facts.get("device"),
        latitude=float(facts["latitude"]) if "latitude" in facts else None,
        longitude=float(facts["longitude"]) if "longitude" in facts else None,
    )


def _name(location: str, root: Path | None) -> str:
    if is_url(location):
        return public_name(location)
    full = Path(location).absolute()
    if root is None:
        return full.as_posix()
    try:
        return PurePosixPath(full.resolve().relative_to(root)).as_posix()
    except ValueError as error:
        message = f"{location} is not below {root}. Choose another folder to name recordings relative to."
        raise ValueError(message) from error


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
