"""The clips of a table that sound most like a recording: exact, or by an index if the table is very large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from beats_trainer.search.exact import Hits, nearest_exactly, unit_rows
from beats_trainer.table.scan import Group, Vectors, count_rows, groups_of, take_rows
from beats_trainer.table.table import table_files

EXACT_ROWS = 1_000_000  # up to here every row is compared
Method = Literal["auto", "exact", "index"]


@dataclass(frozen=True)
class Match:
    """A clip of the table, its cosine to the query, and which clip of the query that is, from 0."""

    cosine: float
    recording: str
    start_s: float
    end_s: float
    query_clip: int = 0


def search(
    table: str | Path,
    query: Vectors,
    top: int = 10,
    *,
    column: str = "embedding",
    method: Method = "auto",
    index: Path | None = None,
) -> list[Match]:
    """The clips nearest to a query, best first; equal ones in the order of the table.

    Args:
        table: A file or a folder.
        query: `(dim,)`, or `(clips, dim)` of which the nearest counts; of the checkpoint and layer of
            the column.
        top: How many.
        column: Which embeddings, if it holds several layers.
        method: "exact" compares every row. "index" asks an approximate index (extra `search`), which is built
            first if there is none or rows have been added; its cosines are those of vectors rounded
            to float16. "auto" is exact up to a million rows.
        index: Where the index is kept; beside the table without it.

    Raises:
        ValueError: The query is not as wide as the table's embeddings.
        MissingExtraError: An index is needed, and usearch is not installed.
    """
    groups = groups_of(table)
    if not count_rows(groups):
        return []
    queries = unit_rows(np.atleast_2d(np.asarray(query, np.float32)))
    if uses_index(method, count_rows(groups)):
        return _by_index(Path(table), queries, top, column, index)
    return _matches(groups, nearest_exactly(groups, queries, top, column))


def uses_index(method: Method, rows: int) -> bool:
    """Whether an index is asked, and not every row."""
    return method == "index" or (method == "auto" and rows > EXACT_ROWS)


def index_folder(table: Path) -> Path:
    """Where the index of a table is kept unless told otherwise; no reader of the table looks there."""
    return table / "_beats" / "search" if table.is_dir() else table.with_suffix(".search")


def _by_index(table: Path, queries: Vectors, top: int, column: str, folder: Path | None) -> list[Match]:
    from beats_trainer.search.index import open_index

    index = open_index(folder or index_folder(table), table_files(table), column)
    return _matches(index.groups, index.nearest(queries, top))


def _matches(groups: Sequence[Group], hits: Hits) -> list[Match]:
    rows = take_rows(groups, hits.positions, ["recording", "start_s", "end_s"]).to_pylist()
    return [
        Match(float(cosine), row["recording"], row["start_s"], row["end_s"], int(clip))
        for cosine, row, clip in zip(hits.cosines, rows, hits.clips, strict=True)
    ]
