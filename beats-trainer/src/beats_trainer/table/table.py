"""A table of embeddings, a file or a folder of parts, read into memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Table", "read_metadata", "read_table", "table_files"]

METADATA_KEY = b"beats"
Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Table:
    """What `read_table` returns: `embeddings` `(rows, dim)`, the other `columns`, and what made the rows."""

    columns: pa.Table
    embeddings: Embeddings
    metadata: dict[str, Any]

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        recordings = len(self.columns.column("recording").unique())
        made = self.metadata.get("checkpoint", "an unknown checkpoint")
        width, kind = self.embeddings.shape[1], self.embeddings.dtype
        return f"<Table: {len(self):,} rows of {recordings:,} recordings, {width} wide, {kind}, of {made}>"

    @property
    def recordings(self) -> list[str]:
        """The recording of each row."""
        names: list[str] = self.columns.column("recording").to_pylist()
        return names

    @property
    def start_s(self) -> npt.NDArray[np.float64]:
        """Seconds from the start of the recording, of each row."""
        return self.columns.column("start_s").to_numpy()  # type: ignore[no-any-return]

    @property
    def end_s(self) -> npt.NDArray[np.float64]:
        """Seconds from the start of the recording, of each row."""
        return self.columns.column("end_s").to_numpy()  # type: ignore[no-any-return]


def table_files(path: str | PathLike[str]) -> list[Path]:
    """The Parquet files of a table.

    Raises:
        FileNotFoundError: There is none.
    """
    path = Path(path)
    files = sorted(path.glob("shard=*/*.parquet"), key=lambda part: part.name) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        message = (
            f"there is no table at {path}. Expected a Parquet file, or the folder that `beats embed` wrote."
        )
        raise FileNotFoundError(message)
    return files


def read_metadata(path: str | PathLike[str]) -> dict[str, Any]:
    """What made the rows of a file; empty if it does not say.

    Raises:
        ValueError: It is no Parquet file, or what it says cannot be read.
    """
    try:
        written = pq.read_metadata(path).metadata or {}
        return dict(json.loads(written.get(METADATA_KEY, b"{}")))
    except (pa.ArrowInvalid, ValueError, TypeError, RecursionError) as error:
        message = (
            f"{path} is no table that can be read: {str(error)[:200]} Expected what `beats embed` wrote. "
            "Name that, or embed the recordings anew."
        )
        raise ValueError(message) from error


def read_table(path: str | PathLike[str], *, column: str = "embedding") -> Table:
    """Reads a table.

    The embeddings of one file lie in the memory that Arrow filled; those of several are put together in one
    array, part by part.

    Args:
        path: A file or a folder.
        column: Which embeddings, if it holds several layers: `embedding_12`.
    """
    files = table_files(path)
    schema = pq.read_schema(files[0])
    _refuse_unknown(column, schema, files[0])
    others = [name for name in schema.names if not pa.types.is_fixed_size_list(schema.field(name).type)]
    columns = pa.concat_tables([pq.ParquetFile(file).read(others) for file in files])
    width = schema.field(column).type.list_size
    return Table(columns, _embeddings(files, column, width, len(columns)), read_metadata(files[0]))


def _embeddings(files: Sequence[Path], column: str, width: int, rows: int) -> Embeddings:
    if len(files) == 1:
        return _view(pq.ParquetFile(files[0]).read([column]).column(column), width)
    whole, position = np.empty((0, width), np.float32), 0
    for file in files:
        part = _view(pq.ParquetFile(file).read([column]).column(column), width)
        whole = np.empty((rows, width), part.dtype) if not position else whole
        whole[position : position + len(part)] = part
        position += len(part)
    return whole


def _view(column: pa.ChunkedArray, width: int) -> Embeddings:
    whole = column.combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    flat: Embeddings = whole.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(-1, width)


def _refuse_unknown(column: str, schema: pa.Schema, path: Path) -> None:
    if column not in schema.names:
        there = [name for name in schema.names if pa.types.is_fixed_size_list(schema.field(name).type)]
        message = f"{path} has no column {column!r}; it has {', '.join(there) or 'no embeddings'}."
        raise KeyError(message)
