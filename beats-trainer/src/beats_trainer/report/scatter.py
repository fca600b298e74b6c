"""The points of a map: rows of a table by chance, where each lies, and which of them can be heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from beats_trainer.report.projection import Method, Points, fit_projection, sample_rows
from beats_trainer.report.sounds import Audible, Excerpt, Recordings, Silence, listen_to, spread_points
from beats_trainer.table.scan import as_vectors, count_rows, finite_rows, groups_of, present, take_rows
from beats_trainer.table.sites import site_of

FACTS = ("recording", "start_s", "end_s", "channel", "datetime", "device", "site")


@dataclass(frozen=True)
class Scatter:
    """Clips on a map: `rows` their facts, `points` `(rows, 2)` within [0, 1], `sounds` by the row's number.

    `silences` are the reasons why others that were chosen cannot be heard, and how often; `of` is the number
    of all rows of the table.
    """

    rows: Sequence[Mapping[str, Any]]
    points: Points
    projection: str
    sounds: Mapping[int, Audible]
    silences: Mapping[str, int]
    of: int


def scatter_clips(
    table: Path, column: str, points: int, clips: int, method: Method, recordings: Recordings
) -> Scatter:
    """At most so many `points`, of which at most so many `clips` with their sound."""
    groups = groups_of(table)
    facts = present(table, FACTS)
    rows = take_rows(groups, sample_rows(groups, points), [*facts, column])
    vectors = as_vectors(rows.column(column).combine_chunks())
    finite = finite_rows(vectors)
    rows, vectors = rows.filter(pa.array(finite)), vectors[finite]
    projection = fit_projection(vectors, method)
    place = _within_unit_square(projection.fitted)
    lines = [_known(row) for row in rows.select(facts).to_pylist()]
    # Clips of one recording follow each other: it is fetched once.
    chosen = sorted(spread_points(place, clips), key=lambda i: lines[i]["recording"])
    heard = {i: listen_to(_excerpt_of(lines[i]), recordings) for i in chosen}
    sounds = {i: sound for i, sound in heard.items() if isinstance(sound, Audible)}
    silences = Counter(_short(s.reason) for s in heard.values() if isinstance(s, Silence))
    return Scatter(lines, place, projection.name, sounds, silences, count_rows(groups))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    full: dict[str, Any] = dict.fromkeys(FACTS) | row
    return full | {"site": site_of(full["recording"], full["device"], full["site"])}


def _excerpt_of(row: Mapping[str, Any]) -> Excerpt:
    return Excerpt(row["recording"], row["start_s"], row["end_s"], row["channel"])


def _within_unit_square(points: Points) -> Points:
    """One scale for both axes, so that distances stay comparable; the middle of the square is theirs."""
    if not len(points):
        return points
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float((high - low).max()), 1e-9)
    moved: Points = ((points - (low + high) / 2) / size + 0.5).astype(np.float32)
    return moved


def _short(reason: str) -> str:
    """One sentence is enough on a page."""
    return reason if len(reason) <= 200 else f"{reason[:200]}…"
