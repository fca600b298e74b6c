"""How many clips a table has of each site in each hour of the day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from beats_trainer.table.scan import groups_of, present, stream
from beats_trainer.table.sites import site_of

HOURS = range(24)
COLUMNS = ("recording", "start_s", "end_s", "datetime", "device", "site")


@dataclass(frozen=True)
class Site:
    """A recorder, or the folder of recordings that name none: clips of each hour, and of no known hour."""

    name: str
    hours: tuple[int, ...]
    unknown: int

    @property
    def clips(self) -> int:
        """All of them."""
        return sum(self.hours) + self.unknown


@dataclass(frozen=True)
class Census:
    """What is in a table. Sites with most clips come first; `seconds` are those of all clips together."""

    clips: int
    recordings: int
    seconds: float
    sites: Sequence[Site]
    first: datetime | None
    last: datetime | None


def count_clips(table: str | Path) -> Census:
    """Counts a table, a few thousand rows at a time; hours are those of the recorder's clock."""
    tally: defaultdict[str, Counter[int | None]] = defaultdict(Counter)
    recordings: set[str] = set()
    seconds = 0.0
    moments: list[datetime] = []  # the first and the last
    for _, batch in stream(groups_of(table), present(table, COLUMNS)):
        for group in _grouped(batch):
            recordings.add(group["recording"])
            tally[site_of(group["recording"], group["device"], group["site"])][group["hour"]] += group[
                "recording_count"
            ]
            seconds += group["seconds_sum"]
            moments = _ends([*moments, group["datetime_min"], group["datetime_max"]])
    sites = [Site(n, tuple(t[hour] for hour in HOURS), t[None]) for n, t in tally.items()]
    sites.sort(key=lambda site: (-site.clips, site.name))
    clips = sum(site.clips for site in sites)
    first, last = moments or (None, None)
    return Census(clips, len(recordings), seconds, sites, first, last)


def _grouped(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """One line for each recording, device and hour."""
    columns = {name: _column(batch, name) for name in ("datetime", "device", "site")}
    rows = pa.table(
        {
            "recording": batch.column("recording"),
            "seconds": pc.subtract(batch.column("end_s"), batch.column("start_s")),
            "hour": pc.hour(columns["datetime"]),
            **columns,
        }
    )
    grouped = rows.group_by(["recording", "device", "site", "hour"]).aggregate(
        [("recording", "count"), ("seconds", "sum"), ("datetime", "min"), ("datetime", "max")]
    )
    lines: list[dict[str, Any]] = grouped.to_pylist()
    return lines


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    kind = pa.timestamp("us") if name == "datetime" else pa.string()
    return batch.column(name) if name in batch.schema.names else pa.nulls(len(batch), kind)


def _ends(moments: list[datetime | None]) -> list[datetime]:
    known = [moment for moment in moments if moment is not None]
    return [min(known), max(known)] if known else []
