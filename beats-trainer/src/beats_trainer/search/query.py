"""A recording embedded exactly as the rows of a table were."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beats_trainer.errors import RecordingError
from beats_trainer.search.exact import EVERY
from beats_trainer.search.filters import Wanted
from beats_trainer.search.nearest import Match, Method, search
from beats_trainer.table.scan import Vectors
from beats_trainer.table.settings import Settings, column_of, settings_of

if TYPE_CHECKING:
    from beats_trainer.audio.read import Channels
    from beats_trainer.load import Found
    from beats_trainer.recordings.reading import Clip

DEFAULT_TOP = 10


def search_table(
    table: str | PathLike[str],
    query: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    model: str | PathLike[str] | None = None,
    layer: int | None = None,
    top: int = DEFAULT_TOP,
    method: Method = "auto",
    index: str | PathLike[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    wanted: Wanted = EVERY,
) -> list[Match]:
    """The clips of a table that sound most like a recording, best first; it is embedded as the table was.

    Args:
        table: A file or a folder.
        query: A recording, or its URL; or several. Of one that is longer than a clip, and of several, the
            nearest clip counts.
        model: The checkpoint, if its name in the table does not lead to it.
        layer: Of a table with several; the last without it.
        top: How many.
        method: "exact" compares every row, "index" asks an approximate index (extra `search`), "auto" is
            exact up to ten million rows, and above unless an index is there.
        index: Where the index is kept; with the table without it.
        start_s: The query is what begins there in each recording, in seconds.
        end_s: It ends there.
        wanted: Which rows may be found.

    Raises:
        FileNotFoundError: There is no table, or its checkpoint is not here.
        CheckpointError: The checkpoint is not the one that made the table.
        RecordingError: A recording cannot be read, is too short or silent, or ends before `start_s`.
    """
    settings = settings_of(table)
    column = column_of(settings, layer)
    several = [query] if isinstance(query, str | PathLike) else list(query)
    parts = [embed_query(one, settings, column, model, start_s=start_s, end_s=end_s) for one in several]
    folder = None if index is None else Path(index)
    vectors = np.concatenate(parts)
    return search(Path(table), vectors, top, column=column, method=method, index=folder, wanted=wanted)


def embed_query(
    query: str | PathLike[str],
    settings: Settings,
    column: str,
    model: str | PathLike[str] | None = None,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Vectors:
    """The clips of a recording, `(clips, dim)`: cut, resampled and encoded as the table was.

    Args:
        query: A recording, or its URL.
        settings: What made the rows of the table.
        column: The layer that is looked for.
        model: Where the checkpoint is, if its name in the table does not lead there.
        start_s: Where the stretch begins that is meant.
        end_s: Where it ends.

    Raises:
        CheckpointError: The checkpoint is not the one that made the table.
        RecordingError: The recording cannot be read, or is too short or silent.
    """
    from beats_trainer.embed.encode import repeat_encoding
    from beats_trainer.recordings.reading import Clip, read_source
    from beats_trainer.recordings.remote import RemoteCache, is_url
    from beats_trainer.recordings.sources import Source

    _refuse_other_resampler(settings)
    found = _found(model or settings.checkpoint, settings)
    encoding = repeat_encoding(found, settings, advice="Name the right one with --model.")
    with tempfile.TemporaryDirectory() as folder:
        cache = RemoteCache(Path(folder), 10**10)
        name, part = str(query), Path(folder) / "stretch.wav"
        place = name
        if start_s is not None or end_s is not None:
            with cache.local(name) if is_url(name) else nullcontext(Path(name)) as whole:
                _write_stretch(whole, part, start_s or 0.0, end_s, settings)
            place = str(part)
        items = list(read_source(Source(place, name), settings.cutting, None, cache))
    clips = [item for item in items if isinstance(item, Clip)]
    _refuse_silence(name, clips)
    rows = [row for _, rows in encoding(clips) for row in rows]
    if not rows:
        findings = "; ".join(str(f) for i in items if not isinstance(i, Clip) for f in i.facts.findings)
        message = f"{query} gives no clip to search for: {findings or 'nothing could be read'}."
        raise RecordingError(message)
    return np.stack([row.vectors[settings.columns.index(column)] for row in rows])


def _write_stretch(
    recording: Path, target: Path, start_s: float, end_s: float | None, settings: Settings
) -> None:
    """A part of a recording as a file of its own, at the rate of the encoder."""
    from beats_trainer.audio.read import read_waveform
    from beats_trainer.audio.write import write_wav

    channels: Channels = "mix" if settings.channels == "each" else settings.channels
    write_wav(target, read_waveform(recording, start_s=start_s, end_s=end_s, channels=channels))


def _refuse_silence(name: str, clips: list[Clip]) -> None:
    heard = [clip.waveform for clip in clips if clip.waveform is not None]
    if heard and not any(waveform.any() for waveform in heard):
        message = (
            f"{name} is silent: expected sound to search for, got nothing but zeros. Choose another stretch "
            "with --start-s and --end-s."
        )
        raise RecordingError(message)


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
