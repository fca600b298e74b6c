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
from beats_trainer.scale.columns import numbers, texts, vectors
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
    arrays = {name: numbers(values, schema.field(name).type) for name, values in columns.items()}
    arrays["recording"] = texts([clip.recording for clip in clips])
    arrays["device"] = texts([clip.deployment.device for clip in clips])
    for layer, name in enumerate(settings.columns):
        arrays[name] = vectors(_embeddings(rows, layer, settings), schema.field(name).type)
    return pa.Table.from_arrays([arrays[name] for name in schema.names], schema=schema)


def _embeddings(rows: Sequence[Row], layer: int, settings: Settings) -> Vectors:
    """`(rows, dim)`."""
    found = np.empty((len(rows), settings.dim), settings.dtype)
    for i, row in enumerate(rows):
        found[i] = row.vectors[layer]
    return found
