"""A recording embedded exactly as the rows of a table were."""

from __future__ import annotations

import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beats_trainer.errors import RecordingError
from beats_trainer.search.nearest import Match, Method, search
from beats_trainer.table.scan import Vectors
from beats_trainer.table.settings import Settings, column_of, settings_of

if TYPE_CHECKING:
    from beats_trainer.load import Found

DEFAULT_TOP = 10


def search_table(
    table: str | PathLike[str],
    query: str | PathLike[str],
    *,
    model: str | PathLike[str] | None = None,
    layer: int | None = None,
    top: int = DEFAULT_TOP,
    method: Method = "auto",
    index: str | PathLike[str] | None = None,
) -> list[Match]:
    """The clips of a table that sound most like a recording, best first; it is embedded as the table was.

    Args:
        table: A file or a folder.
        query: A recording, or its URL. Of one that is longer than a clip the nearest clip counts.
        model: The checkpoint, if its name in the table does not lead to it.
        layer: Of a table with several; the last without it.
        top: How many.
        method: "exact" compares every row, "index" asks an approximate index (extra `search`), "auto" is
            exact up to ten million rows, and above unless an index is there.
        index: Where the index is kept; with the table without it.

    Raises:
        FileNotFoundError: There is no table, or its checkpoint is not here.
        CheckpointError: The checkpoint is not the one that made the table.
        RecordingError: The recording cannot be read, or is too short.
    """
    settings = settings_of(table)
    column = column_of(settings, layer)
    vectors = embed_query(query, settings, column, model)
    folder = None if index is None else Path(index)
    return search(Path(table), vectors, top, column=column, method=method, index=folder)


def embed_query(
    query: str | PathLike[str],
    settings: Settings,
    column: str,
    model: str | PathLike[str] | None = None,
) -> Vectors:
    """The clips of a recording, `(clips, dim)`: cut, resampled and encoded as the table was.

    Args:
        query: A recording, or its URL.
        settings: What made the rows of the table.
        column: The layer that is looked for.
        model: Where the checkpoint is, if its name in the table does not lead there.

    Raises:
        CheckpointError: The checkpoint is not the one that made the table.
        RecordingError: The recording cannot be read, or is too short.
    """
    from beats_trainer.embed.encode import repeat_encoding
    from beats_trainer.recordings.reading import Clip, read_source
    from beats_trainer.recordings.remote import RemoteCache
    from beats_trainer.recordings.sources import Source

    _refuse_other_resampler(settings)
    found = _found(model or settings.checkpoint, settings)
    encoding = repeat_encoding(found, settings, advice="Name the right one with --model.")
    with tempfile.TemporaryDirectory() as folder:
        cache = RemoteCache(Path(folder), 10**10)
        items = list(read_source(Source(str(query), str(query)), settings.cutting, None, cache))
    rows = [row for _, rows in encoding([i for i in items if isinstance(i, Clip)]) for row in rows]
    if not rows:
        findings = "; ".join(str(f) for i in items if not isinstance(i, Clip) for f in i.facts.findings)
        message = f"{query} gives no clip to search for: {findings or 'nothing could be read'}."
        raise RecordingError(message)
    return np.stack([row.vectors[settings.columns.index(column)] for row in rows])


def _refuse_other_resampler(settings: Settings) -> None:
    from beats_trainer.audio.read import RESAMPLER

    if settings.resampler != RESAMPLER:
        message = (
            f"the table was resampled by {settings.resampler} and this version uses {RESAMPLER}: their "
            "cosines would not be comparable. Search with the version that made the table, or embed it again."
        )
        raise ValueError(message)


def _found(name: str | PathLike[str], settings: Settings) -> Found:
    from beats_trainer.load import locate

    found = locate(name)
    if not found.path.is_file():
        message = (
            f"the table was made with {settings.checkpoint}, and there is no such file at {found.path}. "
            "Say where it is with --model."
        )
        raise FileNotFoundError(message)
    return found
