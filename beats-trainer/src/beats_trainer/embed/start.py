"""From paths and choices to a table: what the command and `beats_trainer.embed_recordings` both call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from beats_trainer.embed.choices import DEFAULTS, Channels, Choices, Damaged, Dtype, Engine, Pooling
from beats_trainer.embed.encode import Encoding, begin_encoding
from beats_trainer.embed.progress import Callback
from beats_trainer.embed.run import Options, Outcome, Run
from beats_trainer.load import Found, is_path, locate
from beats_trainer.recordings.sources import parse_shard, survey_sources

if TYPE_CHECKING:
    from beats_trainer.audio.clips import Last
    from beats_trainer.embed.ray_engine import Cluster
    from beats_trainer.encoder.model import Precision

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]


def embed_recordings(
    paths: Paths,
    output: str | PathLike[str],
    *,
    model: str | PathLike[str] = DEFAULTS.model,
    clip_s: float = DEFAULTS.clip_s,
    hop_s: float | None = DEFAULTS.hop_s,
    last: Last = DEFAULTS.last,
    layers: Sequence[int] = DEFAULTS.layers,
    pooling: Pooling = DEFAULTS.pooling,
    normalize: bool = DEFAULTS.normalize,
    channels: Channels = DEFAULTS.channels,
    damaged: Damaged = DEFAULTS.damaged,
    dtype: Dtype = DEFAULTS.dtype,
    precision: Precision = DEFAULTS.precision,
    batch_size: int | Literal["auto"] = DEFAULTS.batch_size,
    device: str = DEFAULTS.device,
    workers: int | None = DEFAULTS.workers,
    resume: bool = DEFAULTS.resume,
    redo: Sequence[str] = DEFAULTS.redo,
    relative_to: str | PathLike[str] | None = DEFAULTS.relative_to,
    utc_offset: str | None = DEFAULTS.utc_offset,
    time_format: str | None = DEFAULTS.time_format,
    site_from: str | None = DEFAULTS.site_from,
    shard: str = DEFAULTS.shard,
    engine: Engine = DEFAULTS.engine,
    strict: bool = DEFAULTS.strict,
    cache_dir: str | PathLike[str] | None = DEFAULTS.cache_dir,
    cache_gb: float = DEFAULTS.cache_gb,
    callback: Callback | None = None,
) -> Outcome:
    """Embed recordings into a table, as `beats embed` does; call it again to go on where it stopped.

    Args:
        paths: Files, folders, globs, .txt or .csv lists, URLs; one or several.
        output: One file if it ends in .parquet, a folder of parts otherwise.
        model: A name from `list_checkpoints()`, `OWNER/REPO[@REVISION]` on the Hub, or a path.
        clip_s: Seconds of a clip.
        hop_s: Seconds between the starts of clips; those of a clip without it.
        last: The rest at the end: "full" a whole clip that ends there, "pad" silence behind it, "drop"
            nothing, "extend" a longer last clip.
        layers: Which layers, 0 to the number of layers; the last without any.
        pooling: How the patches of a clip become one vector.
        normalize: Vectors of length 1.
        channels: "mix" takes their mean, "first" the first, "each" makes a row of every one.
        damaged: "leave" out clips of which a part could not be decoded, or "keep" them, marked.
        dtype: Of the vectors in the table.
        precision: Of the computation; see `BEATs`.
        batch_size: Clips that go through the model at once.
        device: "cpu", "cuda", ...; "auto" is a GPU if there is one.
        workers: Threads that read recordings, two without it; or actors of Ray, one without it.
        resume: Go on with a table that is there; or replace it.
        redo: Recordings of the table, by name or path, that are embedded again; their rows are replaced.
        relative_to: Recordings are named by their path from here; by their full path without it.
        utc_offset: Of recorders' clocks that do not say theirs: "+10:00".
        time_format: Of the time in names that no known recorder writes, as for `strptime`: "%y%m%d%H%M%S".
        site_from: "device" and where there is none the folder, "folder", or an expression with a group.
        shard: Only part K of N of the recordings: "K/N".
        engine: "local" is this process, "ray" a Ray cluster.
        strict: Stop at the first recording of which something is missing.
        cache_dir: For recordings behind URLs.
        cache_gb: What they may take there.
        callback: Is called with the `Progress` after every step.

    Raises:
        FileNotFoundError: A path does not exist, or there is no recording in any.
        ValueError: There is no such choice, or the table was begun with other settings.
        BlockingIOError: Another process is at work on the same recordings.
    """
    choices = Choices(
        model=model, clip_s=clip_s, hop_s=hop_s, last=last, layers=tuple(layers), pooling=pooling,
        normalize=normalize, channels=channels, damaged=damaged, dtype=dtype, precision=precision,
        batch_size=batch_size, device=device, workers=workers, resume=resume, redo=tuple(map(str, redo)),
        relative_to=relative_to, utc_offset=utc_offset, time_format=time_format, site_from=site_from,
        shard=shard, engine=engine, strict=strict, cache_dir=cache_dir, cache_gb=cache_gb,
    )  # fmt: skip
    return embed_chosen(paths, output, choices, callback)


def embed_chosen(
    paths: Paths,
    output: str | PathLike[str],
    choices: Choices,
    callback: Callback | None = None,
    *,
    checkpoint: str | None = None,
) -> Outcome:
    """What `embed_recordings` does; `checkpoint` is the model's name in the table, if it has another."""
    shard = parse_shard(choices.shard)
    survey = survey_sources(_several(paths), relative_to=choices.root, shard=shard, rules=choices.rules)
    found = locate(choices.model)
    encoding = begin_encoding(found, choices, checkpoint or _name_of(choices.model))
    options = Options(
        shard=shard,
        workers=choices.workers or min(2, os.cpu_count() or 1),
        resume=choices.resume,
        redo=choices.redo,
        strict=choices.strict,
        cache_dir=choices.cache_folder,
        cache_bytes=choices.cache_bytes,
    )
    engine = _cluster(found, encoding, choices) if choices.engine == "ray" else None
    run = Run(survey.sources, encoding, Path(output), options, callback, engine)
    return replace(run(), left_out=str(survey.left_out))


def _several(paths: Paths) -> list[str | Path]:
    """One path is meant whole, not letter by letter."""
    several = [paths] if isinstance(paths, str | PathLike) else paths
    return [path if isinstance(path, str) else Path(path) for path in several]


def _name_of(model: str | PathLike[str]) -> str:
    return Path(model).name if is_path(model) else str(model)


def _cluster(found: Found, encoding: Encoding, choices: Choices) -> Cluster:
    """The engine `ray`: the model of this process gave the settings, and the actors load their own."""
    from beats_trainer.embed.ray_engine import Cluster, start_ray

    cpus, gpu = start_ray(), encoding.model.device.type == "cuda"
    workers = choices.workers or 1
    return Cluster(
        found.path.absolute(),
        encoding.settings,
        workers=workers,
        threads=1 if gpu else max(1, cpus // workers),
        gpu=gpu,
        batch_size=choices.clips_at_once,
        cache_dir=choices.cache_folder,
        cache_bytes=choices.cache_bytes,
    )
