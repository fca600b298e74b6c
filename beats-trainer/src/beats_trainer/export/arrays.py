"""A table as NumPy arrays and as a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.report.projection import fit_projection, sample_rows
from beats_trainer.table.scan import as_vectors, groups_of, present, stream, take_rows
from beats_trainer.table.table import METADATA_KEY, read_table, table_files

FACTS = ("recording", "start_s", "end_s", "channel", "datetime", "utc_offset_min", "device", "latitude",
         "longitude")  # fmt: skip

FITTED_ROWS = 20_000  # the map is fitted to so many rows by chance; the others are put into it


def to_npz(table: Path, target: Path, column: str) -> None:
    """NumPy arrays, readable without pickle; the whole table is in memory at once."""
    whole = read_table(table, column=column)
    with target.open("wb") as file:
        np.savez(
            file,
            recording=np.array(whole.recordings, dtype=np.str_),
            start_s=whole.start_s,
            end_s=whole.end_s,
            embedding=whole.embeddings,
        )


def to_csv(table: Path, target: Path, column: str) -> None:
    """One line a clip, one column a number."""
    facts = present(table, FACTS)
    width = pq.read_schema(table_files(table)[0]).field(column).type.list_size
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*facts, *(f"e{i}" for i in range(width))])
        for _, batch in stream(groups_of(table), [*facts, column]):
            vectors = as_vectors(batch.column(column))
            rows = batch.select(facts).to_pylist()
            writer.writerows([*row.values(), *v] for row, v in zip(rows, vectors.tolist(), strict=True))


# A table as Apple's Embedding Atlas opens it: a Parquet file with a point on a map for each row.
#
# embedding-atlas FILE --x x --y y --text recording
def to_atlas(table: Path, target: Path, column: str) -> None:
    """The facts of every row, `x` and `y`; the vectors stay in the table."""
    groups, facts = groups_of(table), present(table, FACTS)
    sampled = take_rows(groups, sample_rows(groups, FITTED_ROWS), [column]).column(0).combine_chunks()
    projection = fit_projection(as_vectors(sampled))
    source = pq.read_schema(groups[0].file if groups else table)
    fields = [*(source.field(name) for name in facts), *(pa.field(axis, pa.float32()) for axis in "xy")]
    said = (source.metadata or {}).get(METADATA_KEY, b"{}")
    schema = pa.schema(fields, metadata={METADATA_KEY: said, b"beats.map": projection.name.encode()})
    with pq.ParquetWriter(target, schema) as writer:
        for _, batch in stream(groups, [*facts, column]):
            points = projection.points(as_vectors(batch.column(column)))
            columns = [*batch.select(facts).columns, *(pa.array(points[:, i]) for i in range(2))]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
