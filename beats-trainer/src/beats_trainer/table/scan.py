"""The rows of a table read a few at a time, so that memory does not grow with the table."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.table.pages import find_plain_column
from beats_trainer.table.table import table_files

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 2_048  # 6 MB of 768 float32
Vectors = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """One row group of one file of a table."""

    file: Path
    index: int
    rows: int


def groups_of(table: str | Path) -> list[Group]:
    """All row groups, in the order of the table's rows; a file without any counts as one without rows."""
    groups = []
    for file in table_files(table):
        metadata = pq.read_metadata(file)
        if not metadata.num_row_groups:
            groups.append(Group(file, 0, 0))
        groups += [Group(file, i, metadata.row_group(i).num_rows) for i in range(metadata.num_row_groups)]
    return groups


def count_rows(groups: Sequence[Group]) -> int:
    """Rows of all of them."""
    return sum(group.rows for group in groups)


def stream(groups: Sequence[Group], columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The number of the first row of each batch, and the batch."""
    position = 0
    for group in groups:
        if not group.rows:
            continue
        with pq.ParquetFile(group.file) as file:
            batches = file.iter_batches(ROWS_AT_ONCE, row_groups=[group.index], columns=list(columns))
            for batch in batches:
                yield position, batch
                position += len(batch)


def stream_vectors(groups: Sequence[Group], column: str) -> Iterator[tuple[int, Vectors]]:
    """The number of the first row of each batch, and its embeddings `(rows, dim)` as float32.

    A batch is gone when the next is asked for: copy what is to stay.
    """
    position = 0
    for group in groups:
        for vectors in _vectors_of(group, column):
            yield position, vectors
            position += len(vectors)


def _vectors_of(group: Group, column: str) -> Iterator[Vectors]:
    """Where they lie if they lie there plainly, and through pyarrow if not."""
    if not group.rows:
        return
    with pq.ParquetFile(group.file) as file, group.file.open("rb", buffering=0) as opened:
        plain = find_plain_column(file, opened, group.index, column)
        if plain is not None:
            yield from plain.read(opened)
            return
    for _, batch in stream([group], [column]):
        yield as_vectors(batch.column(0))


def stream_finite(
    groups: Sequence[Group], facts: Sequence[str], column: str
) -> Iterator[tuple[pa.RecordBatch, Vectors]]:
    """Facts of rows and their embeddings; rows with NaN or infinity are left out, and counted in the log."""
    dropped = 0
    for _, batch in stream(groups, [*facts, column]):
        vectors = as_vectors(batch.column(column))
        finite = finite_rows(vectors)
        dropped += len(vectors) - int(finite.sum())
        yield batch.select(facts).filter(pa.array(finite)), vectors[finite]
    if dropped:
        logger.warning("%s rows are left out: their embeddings hold NaN or infinity", f"{dropped:,}")


def finite_rows(vectors: Vectors) -> npt.NDArray[np.bool_]:
    """Which rows of `(rows, dim)` are numbers throughout."""
    return np.asarray(np.isfinite(vectors).all(axis=1))


def as_vectors(column: pa.Array) -> Vectors:
    """A column of lists of one length as `(rows, dim)` float32."""
    width = column.type.list_size
    flat: Vectors = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(-1, width).astype(np.float32, copy=False)


def take_rows(groups: Sequence[Group], positions: Positions, columns: Sequence[str]) -> pa.Table:
    """The rows with these numbers, in the order given; only row groups that hold one are read."""
    starts = np.cumsum([0, *(group.rows for group in groups)])
    order = np.argsort(positions, kind="stable")
    pieces = []
    for number, group in enumerate(groups):
        first, stop = np.searchsorted(positions[order], starts[number : number + 2])
        if stop > first:
            pieces += _of_group(group, positions[order[first:stop]] - starts[number], columns)
    if not pieces:
        return _schema(groups, columns).empty_table()
    return pa.Table.from_batches(pieces).take(pa.array(np.argsort(order)))


def _of_group(group: Group, rows: Positions, columns: Sequence[str]) -> list[pa.RecordBatch]:
    pieces = []
    for position, batch in stream([group], columns):
        first, stop = np.searchsorted(rows, [position, position + len(batch)])
        if stop > first:
            pieces.append(batch.take(pa.array(rows[first:stop] - position)))
    return pieces


def _schema(groups: Sequence[Group], columns: Sequence[str]) -> pa.Schema:
    whole = pq.read_schema(groups[0].file)
    return pa.schema([whole.field(name) for name in columns])


def present(table: str | Path, columns: Sequence[str]) -> list[str]:
    """Those of the columns that the table has: tables of other programs lack some."""
    names: list[Any] = pq.read_schema(table_files(table)[0]).names
    return [name for name in columns if name in names]
