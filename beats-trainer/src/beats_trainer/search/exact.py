"""Every row of a table compared with a query, a few thousand at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beats_trainer.search.filters import LEFT_OUT, RowKeys, Wanted
from beats_trainer.table.scan import Group, Positions, Vectors, stream_vectors

SHORTEST = np.float32(1e-12)  # a vector without length is like nothing


@dataclass(frozen=True)
class Hits:
    """The best rows, best first: cosines, row numbers, and the clip of the query that each is like."""

    cosines: Vectors
    positions: Positions
    clips: npt.NDArray[np.int64]

    def finite(self) -> Hits:
        """Without rows that are no numbers, which come last."""
        there = np.isfinite(self.cosines)
        return Hits(self.cosines[there], self.positions[there], self.clips[there])

    def moved(self, rows: int) -> Hits:
        """The same, where so many rows come before."""
        return Hits(self.cosines, self.positions + rows, self.clips)


EVERY = Wanted()
NOTHING = Hits(np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.int64))


def nearest_exactly(
    groups: Sequence[Group], queries: Vectors, top: int, column: str, wanted: Wanted = EVERY
) -> Hits:
    """The `top` rows that are nearest to any query `(clips, dim)` of length 1; the earlier of equal ones."""
    if not wanted.is_all:
        return _nearest_wanted(groups, queries, top, column, wanted)
    best = NOTHING
    for position, vectors in stream_vectors(groups, column):
        _refuse_other_width(queries, vectors, column)
        found = cosines(queries, vectors)
        rows = np.arange(position, position + len(vectors))
        best = better_hits(best, Hits(found.max(axis=1), rows, found.argmax(axis=1)), top)
    return best.finite()


def _nearest_wanted(groups: Sequence[Group], queries: Vectors, top: int, column: str, wanted: Wanted) -> Hits:
    """Of rows that may be found; of those with one key the best. Groups without any are not read."""
    best, first, row_keys = _Keyed(NOTHING, np.empty(0, np.int64)), 0, RowKeys(wanted, groups)
    for group in groups:
        keys = row_keys.of(group, first)
        if (keys != LEFT_OUT).any():
            for position, vectors in stream_vectors([group], column):
                _refuse_other_width(queries, vectors, column)
                there = position + np.flatnonzero(keys[position : position + len(vectors)] != LEFT_OUT)
                found = cosines(queries, vectors[there - position])
                hits = Hits(found.max(axis=1), there, found.argmax(axis=1)).finite()
                best = best.with_better(_Keyed(hits.moved(first), keys[hits.positions]), top)
        first += group.rows
    return best.hits


@dataclass(frozen=True)
class _Keyed:
    """Hits with the key of each."""

    hits: Hits
    keys: Positions

    def with_better(self, other: _Keyed, top: int) -> _Keyed:
        """The best of both with different keys."""
        found = np.concatenate([self.hits.cosines, other.hits.cosines])
        both, keys = better_hits(self.hits, other.hits, len(found)), np.concatenate([self.keys, other.keys])
        keys = keys[np.argsort(-found, kind="stable")]
        chosen = np.sort(np.unique(keys, return_index=True)[1])[:top]
        return _Keyed(Hits(both.cosines[chosen], both.positions[chosen], both.clips[chosen]), keys[chosen])


def cosines(queries: Vectors, vectors: Vectors) -> Vectors:
    """`(clips, dim)` of length 1 and `(rows, dim)` -> `(rows, clips)`."""
    with np.errstate(invalid="ignore", over="ignore"):  # of rows that are no numbers, which nobody is shown
        found: Vectors = vectors @ queries.T / _lengths(vectors)
    return found


def unit_rows(vectors: Vectors) -> Vectors:
    """Rows of length 1."""
    scaled: Vectors = vectors / _lengths(vectors)
    return scaled


def _lengths(vectors: Vectors) -> Vectors:
    """`(rows, 1)`; without the copy of all squares that `np.linalg.norm` makes."""
    found: Vectors = np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), SHORTEST)[:, None]
    return found


def better_hits(one: Hits, other: Hits, top: int) -> Hits:
    """The best of both; rows of `one` come before those of `other`, so a stable sort keeps the earlier."""
    found = np.concatenate([one.cosines, other.cosines])
    order = np.argsort(-found, kind="stable")[:top]
    return Hits(
        found[order],
        np.concatenate([one.positions, other.positions])[order],
        np.concatenate([one.clips, other.clips])[order],
    )


def _refuse_other_width(queries: Vectors, vectors: Vectors, column: str) -> None:
    if queries.shape[1] != vectors.shape[1]:
        message = (
            f"the query has {queries.shape[1]} numbers and {column} of the table {vectors.shape[1]}: "
            "they come from different checkpoints. Embed the query with the checkpoint of the table."
        )
        raise ValueError(message)
