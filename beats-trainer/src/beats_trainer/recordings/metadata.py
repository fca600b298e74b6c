"""When and where a recording was made, and by which recorder: what its file and its name say."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from beats_trainer.audio.chunks import ChunkedFile, chunk_content, read_chunks
from beats_trainer.recordings.filenames import time_in_name
from beats_trainer.recordings.recorder_chunks import info_texts, read_audiomoth, read_guano, read_wamd


@dataclass(frozen=True)
class Deployment:
    """What is known; `datetime` is the start of the recording, with a zone if one was written down."""

    datetime: dt.datetime | None = None
    device: str | None = None
    latitude: float | None = None
    longitude: float | None = None

    def filled(self, other: Deployment) -> Deployment:
        """This, with what it lacks taken from another."""
        missing = {f.name: getattr(other, f.name) for f in fields(self) if getattr(self, f.name) is None}
        return replace(self, **missing)

    def at(self, start_s: float) -> tuple[dt.datetime | None, int | None]:
        """The wall clock at this position, and its distance from UTC in minutes where that is known."""
        if self.datetime is None:
            return None, None
        moment = self.datetime + dt.timedelta(seconds=start_s)
        offset = moment.utcoffset()
        return moment.replace(tzinfo=None), None if offset is None else round(offset.total_seconds() / 60)


def read_deployment(path: str | Path, name: str | None = None) -> Deployment:
    """GUANO first, then wamd, then AudioMoth's comment, then its name (`name`, if it lies under another)."""
    path = Path(path)
    chunked = read_chunks(path) if path.is_file() else None
    found = Deployment()
    for facts in _in_file(path, chunked) if chunked else []:
        found = found.filled(Deployment(**facts))
    named = time_in_name(PurePosixPath(name).name if name else path.name)
    return found.filled(Deployment(named.datetime, named.device, named.latitude, named.longitude))


def _in_file(path: Path, chunked: ChunkedFile) -> list[dict[str, Any]]:
    found = []
    for name, parse in (("guan", read_guano), ("wamd", read_wamd)):
        chunk = chunked.named(name)
        if chunk:
            found.append(parse(chunk_content(path, chunk)))
    lists = (chunk for chunk in chunked.chunks if chunk.name == "LIST")
    return found + [read_audiomoth(info_texts(chunk_content(path, chunk))) for chunk in lists]
