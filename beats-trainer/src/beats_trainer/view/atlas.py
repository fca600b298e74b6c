"""A table as Apple's Embedding Atlas opens it: a Parquet file with a point on a map for each row.

embedding-atlas FILE --x x --y y --text recording
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.report.projection import fit, sample
from beats_trainer.table.scan import as_vectors, groups_of, present, stream, take_rows
from beats_trainer.table.table import METADATA_KEY
from beats_trainer.view.arrays import FACTS

FITTED_ROWS = 20_000  # the map is fitted to so many rows by chance; the others are put into it


def to_atlas(table: Path, target: Path, column: str) -> None:
    """The facts of every row, `x` and `y`; the vectors stay in the table."""
    groups, facts = groups_of(table), present(table, FACTS)
    sampled = take_rows(groups, sample(groups, FITTED_ROWS), [column]).column(0).combine_chunks()
    projection = fit(as_vectors(sampled))
    source = pq.read_schema(groups[0].file if groups else table)
    fields = [*(source.field(name) for name in facts), *(pa.field(axis, pa.float32()) for axis in "xy")]
    said = (source.metadata or {}).get(METADATA_KEY, b"{}")
    schema = pa.schema(fields, metadata={METADATA_KEY: said, b"beats.map": projection.name.encode()})
    with pq.ParquetWriter(target, schema) as writer:
        for _, batch in stream(groups, [*facts, column]):
            points = projection.points(as_vectors(batch.column(column)))
            columns = [*batch.select(facts).columns, *(pa.array(points[:, i]) for i in range(2))]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
