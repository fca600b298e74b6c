"""A table as NumPy arrays and as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beats_trainer.foreign.names import safe_cell
from beats_trainer.report.projection import fit_projection, sample_rows
from beats_trainer.table.scan import (
    as_vectors,
    finite_rows,
    groups_of,
    present,
    stream_finite,
    take_rows,
)
from beats_trainer.table.table import METADATA_KEY, table_files

FACTS = ("recording", "start_s", "end_s", "channel", "datetime", "utc_offset_min", "device", "latitude",
         "longitude", "site", "damaged")  # fmt: skip

FITTED_ROWS = 20_000  # the map is fitted to so many rows by chance; the others are put into it


def to_npz(table: Path, target: Path, column: str) -> None:
    """NumPy arrays, readable without pickle; the whole table is in memory at once."""
    facts = present(table, ("recording", "start_s", "end_s", "channel"))
    batches = list(stream_finite(groups_of(table), facts, column))
    columns = pa.Table.from_batches([batch for batch, _ in batches], _schema(table, facts))
    arrays = {name: columns.column(name).to_numpy() for name in ("start_s", "end_s")}
    if "channel" in facts:  # -1 where channels were mixed
        arrays["channel"] = pc.fill_null(columns.column("channel"), -1).to_numpy()
    with target.open("wb") as file:
        np.savez(
            file,
            recording=np.array(columns.column("recording").to_pylist(), dtype=np.str_),
            embedding=np.concatenate(
                [np.empty((0, _width(table, column)), np.float32), *(v for _, v in batches)]
            ),
            **arrays,
        )


def _schema(table: Path, facts: Sequence[str]) -> pa.Schema:
    whole = pq.read_schema(table_files(table)[0])
    return pa.schema([whole.field(name) for name in facts])


def _width(table: Path, column: str) -> int:
    return int(pq.read_schema(table_files(table)[0]).field(column).type.list_size)


def to_csv(table: Path, target: Path, column: str) -> None:
    """One line a clip, one column a number."""
    facts = present(table, FACTS)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*facts, *(f"e{i}" for i in range(_width(table, column)))])
        for batch, vectors in stream_finite(groups_of(table), facts, column):
            rows = ([_cell(value) for value in row.values()] for row in batch.to_pylist())
            writer.writerows([*row, *v] for row, v in zip(rows, vectors.tolist(), strict=True))


def _cell(value: object) -> object:
    return safe_cell(value) if isinstance(value, str) else value


# A table as Apple's Embedding Atlas opens it: a Parquet file with a point on a map for each row.
#
# embedding-atlas FILE --x x --y y --text recording
def to_atlas(table: Path, target: Path, column: str) -> None:
    """The facts of every row, `x` and `y`; the vectors stay in the table."""
    groups, facts = groups_of(table), present(table, FACTS)
    sampled = take_rows(groups, sample_rows(groups, FITTED_ROWS), [column]).column(0).combine_chunks()
    vectors = as_vectors(sampled)
    projection = fit_projection(vectors[finite_rows(vectors)])
    source = pq.read_schema(groups[0].file if groups else table)
    fields = [*(source.field(name) for name in facts), *(pa.field(axis, pa.float32()) for axis in "xy")]
    said = (source.metadata or {}).get(METADATA_KEY, b"{}")
    schema = pa.schema(fields, metadata={METADATA_KEY: said, b"beats.map": projection.name.encode()})
    with pq.ParquetWriter(target, schema) as writer:
        for batch, vectors in stream_finite(groups, facts, column):
            points = projection.points(vectors)
            columns = [*batch.columns, *(pa.array(points[:, i]) for i in range(2))]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
