"""The scores of a head on a whole table, a few rows at a time, and the events that they show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.atomic import written_whole
from beats_trainer.table.scan import finite_rows, groups_of, present, stream, stream_vectors
from beats_trainer.table.settings import column_of, settings_of
from beats_trainer.train.evaluate import BREAK, KEY
from beats_trainer.train.examples import Floats
from beats_trainer.train.head_file import TrainedHead, refuse_other_table

PLACE = ("recording", "start_s", "end_s", "channel")
KEPT = (*PLACE, "datetime", "device", "site")
LIMITS = b"beats.thresholds"  # in a file of scores: those that were fitted
LOW = 0.5  # of its threshold: an event goes on while its score stays above
TOUCHING_S = 1e-6


@dataclass(frozen=True)
class Scored:
    """One clip, with the score of each label: None where its embedding is no number."""

    recording: str
    start_s: float
    end_s: float
    channel: int | None
    scores: Floats | None


@dataclass(frozen=True)
class Event:
    """A label that is heard without a pause, and its best score."""

    recording: str
    channel: int | None
    start_s: float
    end_s: float
    label: str
    score: float


def score_table(head: TrainedHead, table: str | PathLike[str], output: Path) -> int:
    """Write the scores of every clip of a table: its place, then `scores`, one of each label.

    Clips whose embedding is not finite have none.

    Returns:
        How many rows were written.

    Raises:
        CheckpointError: The table was made otherwise than the head wants.
    """
    parts = (_with_scores(batch, scores, head) for batch, scores in _batches(head, table, KEPT))
    first = next(parts, None)
    if first is None:
        message = f"{table} has no clips: nothing was scored. Embed recordings into it with `beats embed`."
        raise ValueError(message)
    rows = 0
    output.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(output) as written, _writer(written, first.schema) as writer:
        for part in chain([first], parts):
            writer.write_table(part)
            rows += len(part)
    return rows


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Names come again; numbers hardly ever do, and a dictionary of them would take longest of all."""
    names = [field.name for field in schema if pa.types.is_string(field.type)]
    return pq.ParquetWriter(path, schema, use_dictionary=names)


def scored_clips(head: TrainedHead, table: str | PathLike[str]) -> Iterator[Scored]:
    """The clips of a table, scored."""
    for batch, scores in _batches(head, table, PLACE):
        finite = finite_rows(scores)
        for row, place in enumerate(batch.to_pylist()):
            where = (place["recording"], place["start_s"], place["end_s"], place.get("channel"))
            yield Scored(*where, scores[row] if finite[row] else None)


def _batches(
    head: TrainedHead, table: str | PathLike[str], columns: Sequence[str]
) -> Iterator[tuple[pa.RecordBatch, Floats]]:
    """What the table says of some clips, and their scores."""
    settings = settings_of(table)
    refuse_other_table(head, settings, str(table))
    column = column_of(settings, head.layer)
    names = present(Path(table), columns)
    for group in groups_of(Path(table)):
        scores = _InStep(head.scores(vectors) for _, vectors in stream_vectors([group], column))
        for _, batch in stream([group], names):
            yield batch, scores.take(len(batch))


class _InStep:
    """Rows that come in pieces of one size, given out in those of another."""

    def __init__(self, pieces: Iterator[Floats]) -> None:
        self._pieces, self._held, self._rows = pieces, list[Floats](), 0

    def take(self, rows: int) -> Floats:
        """The next `rows` of them."""
        while self._rows < rows:
            piece = next(self._pieces)
            self._held.append(piece)
            self._rows += len(piece)
        whole = np.concatenate(self._held)
        self._held, self._rows = [whole[rows:]], self._rows - rows
        return whole[:rows]


def _with_scores(batch: pa.RecordBatch, scores: Floats, head: TrainedHead) -> pa.Table:
    lost = pa.array(~finite_rows(scores))
    values = pa.FixedSizeListArray.from_arrays(pa.array(scores.reshape(-1)), len(head.labels), mask=lost)
    table = pa.Table.from_batches([batch]).append_column("scores", values)
    said = {KEY: BREAK.join(head.labels).encode(), LIMITS: json.dumps(head.thresholds).encode()}
    return table.replace_schema_metadata(said)


def choose_thresholds(fitted: tuple[float, ...], labels: int, threshold: str) -> tuple[float, ...]:
    """The thresholds that are meant: `best` are those that were fitted, else one number for all labels.

    Raises:
        ValueError: It is neither, or none were fitted.
    """
    if threshold == "best":
        if fitted:
            return fitted
        message = (
            "there are no fitted thresholds: the head was learnt without a validation split. Say one, such "
            "as --threshold 0.5."
        )
        raise ValueError(message)
    try:
        value = float(threshold)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        message = f"the threshold is {threshold[:40]!r}; expected best, or a number from 0 to 1. Correct it."
        raise ValueError(message)
    return (value,) * labels


def find_clips(
    clips: Iterable[Scored], labels: tuple[str, ...], limits: tuple[float, ...]
) -> Iterator[Event]:
    """Every clip and label whose score reaches its threshold."""
    for clip in clips:
        scores = () if clip.scores is None else clip.scores.tolist()
        for label, limit, score in zip(labels, limits, scores, strict=False):
            if score >= limit:
                yield Event(clip.recording, clip.channel, clip.start_s, clip.end_s, label, score)


def find_events(
    clips: Iterable[Scored], labels: tuple[str, ...], limits: tuple[float, ...]
) -> Iterator[Event]:
    """Clips that touch, merged: an event begins at the threshold and goes on down to half of it."""
    going: dict[tuple[int | None, int], _Going] = {}
    recording = None
    for clip in clips:
        if clip.recording != recording:
            yield from _ended(going, labels, limits)
            recording = clip.recording
        for index, limit in enumerate(limits):
            score = -1.0 if clip.scores is None else float(clip.scores[index])
            key = clip.channel, index
            one = going.get(key)
            if one is not None and (score < limit * LOW or clip.start_s > one.end_s + TOUCHING_S):
                yield from _ended({key: going.pop(key)}, labels, limits)
                one = None
            if score >= limit * LOW and score >= 0:
                going[key] = one.grown(clip, score) if one else _Going(clip, clip.end_s, score)
    yield from _ended(going, labels, limits)


@dataclass(frozen=True)
class _Going:
    """An event that may go on."""

    first: Scored
    end_s: float
    best: float

    def grown(self, clip: Scored, score: float) -> _Going:
        return _Going(self.first, max(self.end_s, clip.end_s), max(self.best, score))


def _ended(
    going: dict[tuple[int | None, int], _Going], labels: tuple[str, ...], limits: tuple[float, ...]
) -> Iterator[Event]:
    """Those that reached their threshold; the rest never were events."""
    for (channel, index), one in sorted(going.items(), key=lambda item: (item[1].first.start_s, item[0][1])):
        if one.best >= limits[index]:
            yield Event(one.first.recording, channel, one.first.start_s, one.end_s, labels[index], one.best)
    going.clear()
