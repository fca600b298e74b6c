"""The clips of a table that sound most like a recording: exact, or by an index where one was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from beats_trainer.search.exact import EVERY, Hits, nearest_exactly, unit_rows
from beats_trainer.search.filters import Wanted
from beats_trainer.table.scan import Group, Vectors, count_rows, groups_of, present, take_rows
from beats_trainer.table.sites import site_of
from beats_trainer.table.table import table_files

EXACT_ROWS = 10_000_000  # up to here every row is compared: some 12 s of one core, with 768 numbers a row
PLACE = ("recording", "start_s", "end_s", "channel", "datetime", "device", "site")
Method = Literal["auto", "exact", "index"]


@dataclass(frozen=True)
class Match:
    """A clip of the table, its cosine to the nearest clip of the queries, and where and when it was."""

    cosine: float
    recording: str
    start_s: float
    end_s: float
    query_clip: int = 0
    channel: int | None = None
    datetime: datetime | None = None
    site: str = ""


def search(
    table: str | Path,
    query: Vectors,
    top: int = 10,
    *,
    column: str = "embedding",
    method: Method = "auto",
    index: Path | None = None,
    wanted: Wanted = EVERY,
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
            to float16. "auto" compares every row, unless there are more than ten million and an index that
            was asked for before.
        index: Where the index is kept; beside the table without it.
        wanted: Which rows may be found.

    Raises:
        ValueError: The query is not as wide as the table's embeddings; or an index is to be asked for some
            rows alone, which it cannot.
        MissingExtraError: An index is needed, and usearch is not installed.
    """
    groups = groups_of(table)
    if not count_rows(groups):
        return []
    queries = unit_rows(np.atleast_2d(np.asarray(query, np.float32)))
    folder = index or index_folder(Path(table))
    if not wanted.is_all:
        _refuse_index(method)
    elif uses_index(method, count_rows(groups), folder / column):
        return _by_index(Path(table), queries, top, column, folder)
    return _matches(groups, nearest_exactly(groups, queries, top, column, wanted))


def _refuse_index(method: Method) -> None:
    if method == "index":
        message = (
            "an index knows no sites, times or recordings: expected --method exact, or auto. Leave "
            "--method index out."
        )
        raise ValueError(message)


def uses_index(method: Method, rows: int, folder: Path) -> bool:
    """Whether an index is asked, and not every row; building one takes longer than many a scan.

    Args:
        method: What was asked for.
        rows: Of the table.
        folder: Where the index of the column would lie.
    """
    return method == "index" or (method == "auto" and rows > EXACT_ROWS and folder.is_dir())


def index_folder(table: Path) -> Path:
    """Where the index of a table is kept unless told otherwise; no reader of the table looks there."""
    return table / "_beats" / "search" if table.is_dir() else table.with_suffix(".search")


def _by_index(table: Path, queries: Vectors, top: int, column: str, folder: Path) -> list[Match]:
    from beats_trainer.search.index import open_index

    index = open_index(folder, table_files(table), column)
    return _matches(index.groups, index.nearest(queries, top).finite())


def _matches(groups: Sequence[Group], hits: Hits) -> list[Match]:
    columns = present(groups[0].file, PLACE)
    rows = take_rows(groups, hits.positions, columns).to_pylist()
    return [
        Match(
            float(cosine),
            row["recording"],
            row["start_s"],
            row["end_s"],
            int(clip),
            row.get("channel"),
            row.get("datetime"),
            site_of(row["recording"], row.get("device"), row.get("site")),
        )
        for cosine, row, clip in zip(hits.cosines, rows, hits.clips, strict=True)
    ]
