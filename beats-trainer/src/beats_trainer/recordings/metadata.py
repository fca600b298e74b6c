"""When and where a recording was made, and by which recorder: what its file and its name say."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from beats_trainer.audio.chunks import Layout, read_chunk, read_layout
from beats_trainer.recordings.filenames import time_in_name
from beats_trainer.recordings.recorder_chunks import audiomoth, guano, info_texts, wamd


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
    layout = read_layout(path) if path.is_file() else None
    found = Deployment()
    for facts in _in_file(path, layout) if layout else []:
        found = found.filled(Deployment(**facts))
    named = time_in_name(PurePosixPath(name).name if name else path.name)
    return found.filled(Deployment(named.datetime, named.device, named.latitude, named.longitude))


def _in_file(path: Path, layout: Layout) -> list[dict[str, Any]]:
    found = []
    for name, parse in (("guan", guano), ("wamd", wamd)):
        chunk = layout.named(name)
        if chunk:
            found.append(parse(read_chunk(path, chunk)))
    lists = (chunk for chunk in layout.chunks if chunk.name == "LIST")
    return found + [audiomoth(info_texts(read_chunk(path, chunk))) for chunk in lists]
