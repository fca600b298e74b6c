"""A recording embedded exactly as the rows of a table were."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from beats_trainer.errors import RecordingError
from beats_trainer.table.scan import Vectors
from beats_trainer.table.settings import Settings, read_settings
from beats_trainer.table.table import read_metadata, table_files


def settings_of(table: str | Path) -> Settings:
    """What made the rows of a table.

    Raises:
        ValueError: It does not say.
    """
    file = table_files(table)[0]
    metadata = read_metadata(file)
    if not metadata:
        message = f"{file} does not say what made its rows. Expected a table that `beats embed` wrote."
        raise ValueError(message)
    return read_settings(metadata)


def column_of(settings: Settings, layer: int | None) -> str:
    """The column with the embeddings of a layer; of the last one without it.

    Raises:
        ValueError: The table does not have it.
    """
    if layer is None:
        return settings.columns[-1]
    if layer not in settings.layers:
        message = f"the table has layer {', '.join(map(str, settings.layers))}, not {layer}."
        raise ValueError(message)
    return settings.columns[settings.layers.index(layer)]


def embed_query(query: str | Path, settings: Settings, column: str, model: str | None = None) -> Vectors:
    """The clips of a recording, `(clips, dim)`: cut, resampled and encoded as the table was.

    Args:
        query: A recording, or its URL.
        settings: What made the rows of the table.
        column: The layer that is looked for.
        model: Where the checkpoint is, if its name in the table does not lead there.

    Raises:
        ValueError: The checkpoint is not the one that made the table.
        RecordingError: The recording cannot be read, or is too short.
    """
    from beats_trainer.embed.encode import Encoding
    from beats_trainer.load import load_model
    from beats_trainer.recordings.reading import Clip, read_source
    from beats_trainer.recordings.remote import RemoteCache
    from beats_trainer.recordings.sources import Source

    name = model or settings.checkpoint
    _refuse_other(name, settings)
    encoding = Encoding(load_model(name, precision=settings.precision), settings)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        cache = RemoteCache(Path(folder), 10**10)
        items = list(
            read_source(Source(str(query), str(query)), settings.plan, settings.channels, None, cache)
        )
    rows = [row for _, rows in encoding([i for i in items if isinstance(i, Clip)]) for row in rows]
    if not rows:
        findings = "; ".join(str(f) for i in items if not isinstance(i, Clip) for f in i.facts.findings)
        message = f"{query} gives no clip to search for: {findings or 'nothing could be read'}."
        raise RecordingError(message)
    return np.stack([row.vectors[settings.columns.index(column)] for row in rows])


def _refuse_other(name: str, settings: Settings) -> None:
    from beats_trainer.audio.read import RESAMPLER
    from beats_trainer.load import find_checkpoint
    from beats_trainer.pins.digest import file_digest

    if settings.resampler != RESAMPLER:
        message = (
            f"the table was resampled by {settings.resampler} and this version uses {RESAMPLER}: their "
            "cosines would not be comparable. Search with the version that made the table, or embed it again."
        )
        raise ValueError(message)
    checkpoint = find_checkpoint(name)
    if not checkpoint.is_file():
        message = (
            f"the table was made with {settings.checkpoint}, and there is no such file at {checkpoint}. "
            "Say where it is with --model."
        )
        raise FileNotFoundError(message)
    found = file_digest(checkpoint, "sha256")
    if found != settings.sha256:
        message = (
            f"{checkpoint} is not the checkpoint of the table: expected sha256 {settings.sha256}, "
            f"got {found}. Name the right one with --model."
        )
        raise ValueError(message)
