"""Which rows of a table may be found: of a site, of some days or hours, and one of each recording or hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from beats_trainer.table.scan import Group, present, stream
from beats_trainer.table.sites import site_of
from beats_trainer.train.annotations import Annotation, Labels
from beats_trainer.train.examples import Names

FACTS = ("recording", "start_s", "end_s", "datetime", "device", "site")
OnePer = Literal["recording", "hour"]
Keys = npt.NDArray[np.int64]
LEFT_OUT = -1  # the key of a row that may not be found


@dataclass(frozen=True)
class Wanted:
    """Rows that may be found.

    Args:
        site: Recorded there: at the site, else by the recorder, else in the folder of that name.
        since: Recorded on this day or later, by the recorder's clock; `until` on this day or earlier.
        hours: Recorded from the one hour to the end of the other; `(22, 4)` goes over midnight.
        not_in: Not what somebody has said anything of: clips that an annotation touches.
        one_per: The best of each `recording`, or of each `hour` of one site.

    Raises:
        ValueError: There are no such hours.
    """

    site: str | None = None
    since: date | None = None
    until: date | None = None
    hours: tuple[int, int] | None = None
    one_per: OnePer | None = None
    not_in: Labels | None = None

    def __post_init__(self) -> None:
        if self.hours and not all(0 <= hour <= 23 for hour in self.hours):
            message = (
                f"the hours {self.hours[0]} to {self.hours[1]} are none: expected 0 to 23, such as 22-4."
            )
            raise ValueError(message)

    @property
    def is_all(self) -> bool:
        """Whether every row may be found."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def holds(self, recording: str, when: datetime | None, device: str | None, site: str | None) -> bool:
        """Whether a row may be found; one whose time is not known is at no time."""
        if self.site is not None and site_of(recording, device, site) != self.site:
            return False
        if self.since is None and self.until is None and self.hours is None:
            return True
        return when is not None and self._is_day(when.date()) and self._is_hour(when.hour)

    def _is_day(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    def _is_hour(self, hour: int) -> bool:
        if self.hours is None:
            return True
        first, last = self.hours
        return first <= hour <= last if first <= last else hour >= first or hour <= last


class RowKeys:
    """A number for each row: that of its recording or hour, of itself where all may be found, or -1.

    Args:
        wanted: Which rows.
        groups: Of the table.
    """

    def __init__(self, wanted: Wanted, groups: Sequence[Group]) -> None:
        self.wanted, self._numbers = wanted, dict[object, int]()
        self._said = _Said(wanted.not_in) if wanted.not_in else None
        self._facts = present(groups[0].file, FACTS)

    def of(self, group: Group, first: int) -> Keys:
        """`(rows,)`: of one row group, whose first row has the number `first`."""
        keys = np.empty(group.rows, np.int64)
        for position, batch in stream([group], self._facts):
            for at, row in enumerate(batch.to_pylist(), position):
                keys[at] = self._key(row, first + at)
        return keys

    def _key(self, row: dict[str, Any], number: int) -> int:
        recording, when = row["recording"], row.get("datetime")
        device, site = row.get("device"), row.get("site")
        if not self.wanted.holds(recording, when, device, site):
            return LEFT_OUT
        if self._said and self._said.of(recording, row["start_s"], row["end_s"]):
            return LEFT_OUT
        if self.wanted.one_per is None:
            return number
        named: object = recording
        if self.wanted.one_per == "hour":
            named = (site_of(recording, device, site), _hour_of(recording, row["start_s"], when))
        return self._numbers.setdefault(named, len(self._numbers))


class _Said:
    """What labels say something of, whatever they call a recording: by its path, or the end of it."""

    def __init__(self, labels: Labels) -> None:
        self._names, self._stretches = Names(labels.recordings), defaultdict[str, list[Annotation]](list)
        self._known: dict[str, list[Annotation]] = {}
        for one in labels.annotations:
            self._stretches[one.recording].append(one)

    def of(self, recording: str, start_s: float, end_s: float) -> bool:
        """Whether they say something of a stretch."""
        if recording not in self._known:
            self._known[recording] = self._stretches.get(self._names.find(recording) or "", [])
        return any(
            one.start_s is None or one.end_s is None or (one.start_s < end_s and start_s < one.end_s)
            for one in self._known[recording]
        )


def _hour_of(recording: str, start_s: float, when: datetime | None) -> object:
    """Of the clock; where none is known, of the recording."""
    return when.replace(minute=0, second=0, microsecond=0) if when else (recording, int(start_s // 3600))
