"""A table as NumPy arrays and as a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from beats_trainer.table.scan import as_vectors, groups_of, present, stream
from beats_trainer.table.table import read, table_files

FACTS = ("recording", "start_s", "end_s", "channel", "datetime", "utc_offset_min", "device", "latitude",
         "longitude")  # fmt: skip


def to_npz(table: Path, target: Path, column: str) -> None:
    """NumPy arrays, readable without pickle; the whole table is in memory at once."""
    whole = read(table, column=column)
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
