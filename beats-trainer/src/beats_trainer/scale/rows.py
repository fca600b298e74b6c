"""The rows of a table in memory, and their columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beats_trainer.scale.journal import KEY, Journal
from beats_trainer.scale.reading import Clip
from beats_trainer.scale.settings import Settings
from beats_trainer.table import METADATA_KEY

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
        *(pa.field(name, pa.list_(number, settings.dim), nullable=False) for name in settings.columns),
    ]
    return pa.schema(
        fields, metadata={METADATA_KEY: json.dumps(settings.metadata(), sort_keys=True).encode()}
    )


def as_table(rows: Sequence[Row], settings: Settings, journal: Journal) -> pa.Table:
    """The rows as columns, with the journal of what they complete."""
    schema = schema_of(settings)
    moments = [row.clip.deployment.at(row.clip.start_s) for row in rows]
    columns = {
        "recording": [row.clip.recording for row in rows],
        "start_s": [row.clip.start_s for row in rows],
        "end_s": [row.clip.end_s for row in rows],
        "channel": [row.channel for row in rows],
        "datetime": [moment for moment, _ in moments],
        "utc_offset_min": [offset for _, offset in moments],
        "device": [row.clip.deployment.device for row in rows],
        "latitude": [row.clip.deployment.latitude for row in rows],
        "longitude": [row.clip.deployment.longitude for row in rows],
    }
    arrays = [pa.array(values, schema.field(name).type) for name, values in columns.items()]
    arrays += [_embeddings(rows, i, schema.field(name).type) for i, name in enumerate(settings.columns)]
    table = pa.Table.from_arrays(arrays, schema=schema)
    return table.replace_schema_metadata({**schema.metadata, KEY: journal.dumps()})


def _embeddings(rows: Sequence[Row], layer: int, kind: pa.DataType) -> pa.Array:
    dtype = np.float16 if kind.value_type == pa.float16() else np.float32
    flat = np.empty((len(rows), kind.list_size), dtype)
    for i, row in enumerate(rows):
        flat[i] = row.vectors[layer]
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), kind.list_size)
