"""When and where a recording was made, and by which recorder: what its file and its name say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from beats_trainer.audio.chunks import ChunkedFile, chunk_content, read_chunks
from beats_trainer.audio.flac import comment_block
from beats_trainer.recordings.filenames import PLAIN_NAMES, NameRules
from beats_trainer.recordings.recorder_chunks import (
    comment_texts,
    info_texts,
    read_audiomoth,
    read_bext,
    read_comments,
    read_guano,
    read_icrd,
    read_wamd,
)
from beats_trainer.recordings.said import Said

SAME_TIME = dt.timedelta(minutes=1)
SAME_PLACE = 0.01  # degrees: a kilometre


@dataclass(frozen=True)
class Deployment:
    """What is known; `datetime` is the start of the recording, with a zone if one was written down.

    `time_expansion` is how many times slower than it was the sound plays, `doubts` what was written down and
    cannot be, or is said otherwise elsewhere.
    """

    datetime: dt.datetime | None = None
    device: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    site: str | None = None
    time_expansion: float | None = None
    doubts: tuple[str, ...] = ()

    def filled(self, other: Deployment) -> Deployment:
        """This, with what it lacks taken from another; the doubts of both."""
        missing = {f.name: getattr(other, f.name) for f in fields(self) if getattr(self, f.name) is None}
        return replace(self, **missing, doubts=(*self.doubts, *other.doubts))

    def at(self, start_s: float) -> tuple[dt.datetime | None, int | None]:
        """The wall clock at this position, and its distance from UTC in minutes where that is known."""
        if self.datetime is None:
            return None, None
        moment = self.datetime + dt.timedelta(seconds=start_s / (self.time_expansion or 1))
        offset = moment.utcoffset()
        return moment.replace(tzinfo=None), None if offset is None else round(offset.total_seconds() / 60)


def read_deployment(path: str | Path, name: str | None = None, rules: NameRules = PLAIN_NAMES) -> Deployment:
    """GUANO first, then wamd, then comments, then its name, then bext and ICRD, which editors write anew.

    Args:
        path: The file.
        name: Under which it is known, if it lies under another.
        rules: How names are read, and what they do not say.
    """
    path = Path(path)
    named = rules.read(PurePosixPath(name).name if name else path.name)
    inside = _in_file(path) if path.is_file() else ([], [])
    return _joined([*inside[0], named]).filled(_joined(inside[1]))


def complete(given: Deployment, path: Path, name: str, rules: NameRules) -> Deployment:
    """What a list gives of a recording, then what its file says, then what holds for all of them."""
    known = given.filled(read_deployment(path, name, rules))
    site = known.site or rules.site(name, known.device)
    return replace(known, datetime=rules.zoned(known.datetime), site=site)


def _in_file(path: Path) -> tuple[list[Said], list[Said]]:
    """What the recorder wrote, and what others may have written over."""
    chunked = read_chunks(path)
    if chunked is None:
        comments = comment_block(path)
        return ([read_comments(comment_texts(comments))] if comments else []), []
    lists = [info_texts(chunk_content(path, chunk)) for chunk in chunked.chunks if chunk.name == "LIST"]
    chunks = list(_in_chunks(path, chunked))
    recorder = [*chunks, *map(read_audiomoth, lists)]
    bext = chunked.named("bext")
    return recorder, [*([read_bext(chunk_content(path, bext))] if bext else []), *map(read_icrd, lists)]


def _in_chunks(path: Path, chunked: ChunkedFile) -> Iterator[Said]:
    for name, parse in (("guan", read_guano), ("wamd", read_wamd)):
        chunk = chunked.named(name)
        if chunk:
            yield parse(chunk_content(path, chunk))


def _joined(sources: Iterable[Said]) -> Deployment:
    """The first that knows a field is believed; another that says something else is told."""
    known: dict[str, Any] = {}
    by: dict[str, str] = {}
    doubts: list[str] = []
    for said in sources:
        doubts += said.doubts
        for name, value in said.facts.items():
            if name not in known:
                known[name], by[name] = value, said.source
            elif not _agree(name, known[name], value):
                doubts.append(f"{by[name]} says {name} {known[name]}, {said.source} {value}")
    if factor := known.get("time_expansion"):
        doubts.append(f"time-expanded {factor:g} times; the clock of its clips is that of the field")
    return Deployment(**known, doubts=tuple(doubts))


def _agree(name: str, one: Any, other: Any) -> bool:
    if name == "datetime":
        return _same_moment(one, other)
    if name in {"latitude", "longitude"}:
        return bool(abs(one - other) <= SAME_PLACE)
    return name == "device" or bool(one == other)  # a recorder has a number and a name


def _same_moment(one: dt.datetime, other: dt.datetime) -> bool:
    """A clock without a zone may be that of the place, or UTC."""
    naive = [moment.replace(tzinfo=None) for moment in (one, other)]
    zones = [moment.utcoffset() or dt.timedelta(0) for moment in (one, other)]
    universal = [moment - zone for moment, zone in zip(naive, zones, strict=True)]
    pairs = (naive, universal, [naive[0], universal[1]], [universal[0], naive[1]])
    return any(abs(a - b) <= SAME_TIME for a, b in pairs)
