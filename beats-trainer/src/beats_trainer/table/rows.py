"""The rows of a table in memory, and their columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beats_trainer.recordings.reading import Clip
from beats_trainer.table.settings import Settings
from beats_trainer.table.table import METADATA_KEY

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One track of one clip. `channel` is None where channels were mixed; `vectors` is `(layers, dim)`."""

    clip: Clip
    channel: int | None
    vectors: Vectors


def without_sound(clip: Clip, rows: Sequence[Row]) -> tuple[Clip, list[Row]]:
    """The sound itself would fill the memory until the rows are written."""
    heard = replace(clip, waveform=None)
    return heard, [replace(row, clip=heard) for row in rows]


def schema_of(settings: Settings) -> pa.Schema:
    """The columns, and in the metadata everything that made them."""
    number = pa.float16() if settings.dtype == "float16" else pa.float32()
    fields = [
        pa.field("recording", pa.string(), nullable=False),
        pa.field("start_s", pa.float64(), nullable=False),
        pa.field("end_s", pa.float64(), nullable=False),
        pa.field("channel", pa.int16()),
        pa.field("datetime", pa.timestamp("us")),
        pa.field("utc_offset_min", pa.int16()),
        pa.field("device", pa.string()),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("site", pa.string()),
        pa.field("damaged", pa.bool_(), nullable=False),
        *(pa.field(name, pa.list_(number, settings.dim), nullable=False) for name in settings.columns),
    ]
    return pa.schema(
        fields, metadata={METADATA_KEY: json.dumps(settings.metadata(), sort_keys=True).encode()}
    )


def as_table(rows: Sequence[Row], settings: Settings) -> pa.Table:
    """The rows as columns."""
    schema = schema_of(settings)
    clips = [row.clip for row in rows]
    moments = [clip.deployment.at(clip.start_s) for clip in clips]
    columns: dict[str, Sequence[Any]] = {
        "start_s": [clip.start_s for clip in clips],
        "end_s": [clip.end_s for clip in clips],
        "channel": [row.channel for row in rows],
        "datetime": [moment for moment, _ in moments],
        "utc_offset_min": [offset for _, offset in moments],
        "latitude": [clip.deployment.latitude for clip in clips],
        "longitude": [clip.deployment.longitude for clip in clips],
    }
    arrays = {name: number_column(values, schema.field(name).type) for name, values in columns.items()}
    arrays["recording"] = text_column([clip.recording for clip in clips])
    arrays["site"] = text_column([clip.deployment.site for clip in clips])
    arrays["damaged"] = flag_column([clip.damaged for clip in clips])
    arrays["device"] = text_column([clip.deployment.device for clip in clips])
    for layer, name in enumerate(settings.columns):
        arrays[name] = vector_column(_embeddings(rows, layer, settings), schema.field(name).type)
    return pa.Table.from_arrays([arrays[name] for name in schema.names], schema=schema)


def _embeddings(rows: Sequence[Row], layer: int, settings: Settings) -> Vectors:
    """`(rows, dim)`."""
    found = np.empty((len(rows), settings.dim), settings.dtype)
    for i, row in enumerate(rows):
        found[i] = row.vectors[layer]
    return found


# Values, some of which may be None, as columns of Arrow.
#
# `pyarrow.array` would do, but it imports pandas wherever there is one, which takes 40 MB for nothing.
def text_column(values: Sequence[str | None]) -> pa.Array:
    """A column of strings."""
    encoded = [(value or "").encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [_present(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def number_column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A column of numbers, or of moments without a zone."""
    dtype = np.dtype("datetime64[us]" if pa.types.is_timestamp(kind) else kind.to_pandas_dtype())
    nothing = np.zeros(1, dtype)[0]
    filled = np.array([nothing if value is None else value for value in values], dtype)
    return pa.Array.from_buffers(kind, len(values), [_present(values), pa.py_buffer(filled)])


def flag_column(values: Sequence[bool]) -> pa.Array:
    """A column of yes and no."""
    bits = np.packbits(values, bitorder="little") if values else b""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def vector_column(rows: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """A column of vectors of one width, `(rows, width)`, without a copy."""
    flat = pa.Array.from_buffers(kind.value_type, rows.size, [None, pa.py_buffer(rows)])
    return pa.FixedSizeListArray.from_arrays(flat, kind.list_size)


def _present(values: Sequence[Any]) -> pa.Buffer:
    """A bit a value, from the lowest up."""
    bits = np.packbits([value is not None for value in values], bitorder="little") if values else b""
    return pa.py_buffer(bits)
