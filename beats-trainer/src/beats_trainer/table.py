"""Clips and embeddings in, a Parquet table on disk out, with its provenance in the metadata."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Row", "Table", "TableWriter", "read", "write"]

METADATA_KEY = b"beats"
ROWS_PER_GROUP = 1024
Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One clip: where it lies, in seconds from the start of the recording, and its embedding `(dim,)`."""

    recording: str
    start_s: float
    end_s: float
    embedding: Embeddings


@dataclass(frozen=True)
class Table:
    """What `read` returns; `embeddings` `(rows, dim)` lies in the memory that Arrow filled."""

    recordings: list[str]
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    embeddings: Embeddings
    metadata: dict[str, Any]


def schema_of(dim: int, metadata: Mapping[str, Any]) -> pa.Schema:
    """The columns of a table of embeddings with `dim` numbers."""
    fields = [
        pa.field("recording", pa.string(), nullable=False),
        pa.field("start_s", pa.float64(), nullable=False),
        pa.field("end_s", pa.float64(), nullable=False),
        pa.field("embedding", pa.list_(pa.float32(), dim), nullable=False),
    ]
    return pa.schema(fields, metadata={METADATA_KEY: json.dumps(dict(metadata), sort_keys=True).encode()})


class TableWriter:
    """Writes a table row by row; the file has its name only once it is whole.

    Args:
        path: The Parquet file.
        dim: Numbers in an embedding.
        metadata: What made the rows; anything that JSON can hold.
    """

    def __init__(self, path: str | PathLike[str], dim: int, metadata: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._schema = schema_of(dim, metadata)
        self._temporary = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex[:8]}.incomplete")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._temporary, self._schema, compression="zstd")
        self._held: list[Row] = []
        self.rows = 0

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def add(self, rows: Sequence[Row]) -> None:
        """Appends rows."""
        self._held += rows
        self.rows += len(rows)
        if len(self._held) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(_arrow(self._held, self._schema))
            self._held = []

    def close(self) -> None:
        """Writes what is left and gives the file its name."""
        self._flush()
        self._writer.close()
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self.path)

    def abandon(self) -> None:
        """Leaves no file behind."""
        self._writer.close()
        self._temporary.unlink(missing_ok=True)


def write(
    path: str | PathLike[str], rows: Sequence[Row], metadata: Mapping[str, Any], dim: int | None = None
) -> None:
    """Writes a whole table at once."""
    width = len(rows[0].embedding) if dim is None else dim
    with TableWriter(path, width, metadata) as writer:
        writer.add(rows)


def read(path: str | PathLike[str]) -> Table:
    """Reads a table; the embeddings are not copied once more."""
    table = pq.read_table(path).combine_chunks()
    metadata = json.loads((table.schema.metadata or {}).get(METADATA_KEY, b"{}"))
    column = table.column("embedding").combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    flat = column.flatten().to_numpy(zero_copy_only=True)
    return Table(
        table.column("recording").to_pylist(),
        table.column("start_s").to_numpy(),
        table.column("end_s").to_numpy(),
        flat.reshape(len(table), column.type.list_size),
        metadata,
    )


def _arrow(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    flat = np.concatenate([np.asarray(row.embedding, np.float32) for row in rows])
    columns = [
        pa.array([row.recording for row in rows], pa.string()),
        pa.array([row.start_s for row in rows], pa.float64()),
        pa.array([row.end_s for row in rows], pa.float64()),
        pa.FixedSizeListArray.from_arrays(pa.array(flat), schema.field("embedding").type.list_size),
    ]
    return pa.Table.from_arrays(columns, schema=schema)
