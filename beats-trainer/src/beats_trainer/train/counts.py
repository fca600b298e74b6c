"""How often a label is heard, where and when, beside how long was listened."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.atomic import written_whole
from beats_trainer.foreign.names import safe_cell
from beats_trainer.table.sites import site_of
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.evaluate import BREAK, KEY
from beats_trainer.train.score import LIMITS, Scored, find_events

By = Literal["site", "day", "hour"]
Group = tuple[str, ...]
NEEDED = ("recording", "start_s", "end_s", "scores")
USED = (*NEEDED, "channel", "datetime", "device", "site")
ROWS_AT_ONCE = 8_192


@dataclass
class Effort:
    """What was listened to in one group.

    Args:
        seconds: Of sound, each moment once, however clips overlap and whatever the channels.
        recordings: Their names.
    """

    seconds: float = 0.0
    recordings: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Count:
    """One label in one group: its events, the seconds that they last, and in how many recordings they are."""

    label: str
    group: Group
    events: int
    seconds: float
    recordings: int
    effort: Effort
    threshold: float


@dataclass
class _Tally:
    events: int = 0
    seconds: float = 0.0
    recordings: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class ScoresFile:
    """What `beats classify -o scores.parquet` wrote.

    Raises:
        LabelsError: The file is none.
    """

    path: Path
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def read(cls, path: Path) -> ScoresFile:
        """Its labels and the thresholds that were fitted; of files that say none there are none."""
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _no_scores(path, str(error)[:200]) from error
        said, missing = schema.metadata or {}, set(NEEDED) - set(schema.names)
        if KEY not in said or missing:
            raise _no_scores(path, f"it has no {' and '.join(sorted(missing)) or 'names of labels'}")
        labels = tuple(said[KEY].decode().split(BREAK))
        kind = schema.field("scores").type
        if not pa.types.is_fixed_size_list(kind) or kind.list_size != len(labels):
            raise _no_scores(path, f"its scores are {kind}, and its labels {len(labels)}")
        return cls(path, labels, _thresholds(path, said.get(LIMITS, b"[]"), len(labels)))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Its rows, in order, a few thousand in memory."""
        with pq.ParquetFile(self.path) as file:
            there = [name for name in USED if name in file.schema_arrow.names]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=there):
                yield from batch.to_pylist()


def _thresholds(path: Path, said: bytes, labels: int) -> tuple[float, ...]:
    """One for each label from 0 to 1, or none at all."""
    try:
        found = tuple(map(float, json.loads(said)))
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_scores(path, "its thresholds are no numbers") from error
    if len(found) not in (0, labels) or not all(0 <= value <= 1 for value in found):
        raise _no_scores(path, f"it has {len(found)} thresholds of {labels} labels, or one beyond 0 to 1")
    return found


def _no_scores(path: Path, found: str) -> LabelsError:
    return LabelsError(
        f"{path} holds no scores of clips: {found}. Expected what `beats classify --model RUN -o "
        "scores.parquet` wrote. Make it so."
    )


def count_events(scores: ScoresFile, thresholds: Sequence[float], by: Sequence[By]) -> list[Count]:
    """Every label in every group in which anything was listened to, also where nothing is heard.

    Args:
        scores: Of the clips.
        thresholds: From which each label counts as heard.
        by: What makes a group; the hour is that of the recorder's clock, and an event is in the group in
            which it begins.
    """
    listening = _Listening(by)
    tallies: dict[tuple[str, Group], _Tally] = {}
    for event in find_events(listening.to(scores.rows()), scores.labels, tuple(thresholds)):
        group = listening.group_at(event.recording, event.start_s)
        tally = tallies.setdefault((event.label, group), _Tally())
        tally.events, tally.seconds = tally.events + 1, tally.seconds + event.end_s - event.start_s
        tally.recordings.add(event.recording)
    limits = dict(zip(scores.labels, thresholds, strict=True))
    return [
        _count(label, group, tallies.get((label, group), _Tally()), listening.efforts[group], limits[label])
        for label in scores.labels
        for group in sorted(listening.efforts)
    ]


def _count(label: str, group: Group, tally: _Tally, effort: Effort, limit: float) -> Count:
    return Count(label, group, tally.events, tally.seconds, len(tally.recordings), effort, limit)


class _Listening:
    """Notes where and when each clip was, and how long was listened, while clips go by."""

    def __init__(self, by: Sequence[By]) -> None:
        self.by, self.efforts = by, dict[Group, Effort]()
        self._recording, self._site, self._heard_to = "", "", 0.0
        self._before: tuple[str, str, datetime | None] = ("", "", None)
        self._began: datetime | None = None

    def to(self, rows: Iterable[dict[str, Any]]) -> Iterator[Scored]:
        """The clips of the rows; what has no score was not listened to."""
        for row in rows:
            if row["recording"] != self._recording:
                self._begin(row)
            if row["scores"] is not None:
                self._note(row)
            yield Scored(row["recording"], row["start_s"], row["end_s"], row.get("channel"), row["scores"])

    def _begin(self, row: dict[str, Any]) -> None:
        """A recording begins; events of the one before are still to come."""
        self._before = self._recording, self._site, self._began
        self._recording, self._heard_to = row["recording"], 0.0
        self._site = site_of(row["recording"], row.get("device"), row.get("site"))
        when = row.get("datetime")
        self._began = when - timedelta(seconds=row["start_s"]) if when else None

    def _note(self, row: dict[str, Any]) -> None:
        new = row["end_s"] - max(row["start_s"], self._heard_to)
        effort = self.efforts.setdefault(self.group_at(row["recording"], row["start_s"]), Effort())
        effort.recordings.add(row["recording"])
        if new > 0:
            effort.seconds += new
            self._heard_to = row["end_s"]

    def group_at(self, recording: str, start_s: float) -> Group:
        """The group of a moment of the recording that goes by, or of the one before."""
        now = self._recording, self._site, self._began
        _, site, began = now if recording == self._recording else self._before
        when = began + timedelta(seconds=start_s) if began else None
        known = {
            "site": site,
            "day": when.date().isoformat() if when else "",
            "hour": f"{when.hour:02}" if when else "",
        }
        return tuple(known[name] for name in self.by)


def write_counts(
    counts: Sequence[Count], by: Sequence[By], path: Path, quality: dict[str, tuple[float, float]]
) -> None:
    """Write a CSV, a line for each label in each group.

    Args:
        counts: What was counted.
        by: What made the groups.
        path: Where to.
        quality: Precision and recall of each label at its threshold, where they were measured.
    """
    columns = ("label", *by, "events", "event_s", "recordings_heard", "presence", "recordings", "hours",
               "events_an_hour", "threshold", "precision", "recall")  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as written, written.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(_line(one, quality.get(one.label)) for one in counts)


def _line(one: Count, quality: tuple[float, float] | None) -> tuple[object, ...]:
    hours = one.effort.seconds / 3600
    rate = f"{one.events / hours:.4f}" if hours else ""
    measured = ("", "") if quality is None else tuple(f"{value:.4f}" for value in quality)
    return (
        safe_cell(one.label), *map(safe_cell, one.group), one.events, f"{one.seconds:.3f}", one.recordings,
        int(one.events > 0), len(one.effort.recordings), f"{hours:.6f}", rate, f"{one.threshold:.6f}",
        *measured,
    )  # fmt: skip


def parse_by(text: str) -> tuple[By, ...]:
    """`site,day,hour`, or some of them; empty for one group of all.

    Raises:
        LabelsError: It names something else, or something twice.
    """
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not set(names) <= set(get_args(By)) or len(set(names)) < len(names):
        message = f"--by {text[:80]}: expected some of site, day, hour, each once. Correct it."
        raise LabelsError(message)
    return names  # type: ignore[return-value] # just compared
