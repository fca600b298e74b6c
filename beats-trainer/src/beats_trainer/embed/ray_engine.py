"""The engine `ray`: decoding tasks and actors that hold the model, on all machines of a Ray cluster.

Only the process that was started writes: parts, journal and report are those of a run on one machine.
"""

from __future__ import annotations

import logging
import os
import pickle
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from beats_trainer.audio.clips import Spans
from beats_trainer.embed.choices import DEFAULTS
from beats_trainer.extras import needs
from beats_trainer.recordings.reading import Clip, Ended, read_source
from beats_trainer.recordings.remote import RemoteCache
from beats_trainer.recordings.sources import Source
from beats_trainer.table.rows import Row, without_sound
from beats_trainer.table.settings import Settings

if TYPE_CHECKING:
    from types import ModuleType

Done = tuple[Clip, list[Row]] | Ended
ITEM = "item"
DECODING_CPUS = 0.25  # of one task: at 48 kHz a core decodes for dozens of cores that embed
EMBEDDING_CPUS = 0.75  # of each thread of an actor: so that beside any number of actors something decodes
CLIPS_PER_CALL = 16
BLOCKS = 1000  # at most so many tasks share the recordings


@dataclass(frozen=True)
class Cluster:
    """Sources in, lists of what is done out, in no order.

    Args:
        checkpoint: The weights, at the same path on every machine.
        settings: How recordings become rows.
        workers: Actors; each holds the model.
        threads: Of each actor; on GPUs an actor takes one GPU.
        gpu: Whether actors compute on GPUs.
        batch_size: Clips of full length that go through the encoder at once; what runs fastest without it.
        cache_dir: For recordings behind URLs, on each machine.
        cache_bytes: What they may take there.
    """

    checkpoint: Path
    settings: Settings
    workers: int = 1
    threads: int = 1
    gpu: bool = False
    batch_size: int | None = None
    cache_dir: Path | None = None
    cache_bytes: int = DEFAULTS.cache_bytes

    def __call__(self, work: Sequence[tuple[Source, Spans | None]]) -> Iterator[list[Done]]:
        """Embed the recordings; the clips of each that are named are left out."""
        if not work:
            return
        data = _ray_data()
        items = [{ITEM: pickle.dumps(one)} for one in work]
        recordings = data.from_items(items, override_num_blocks=min(len(items), BLOCKS))
        decoded = recordings.map_batches(
            Decoding(self), batch_size=1, batch_format="pyarrow", num_cpus=DECODING_CPUS
        )
        embedded = decoded.map_batches(
            Actor,
            fn_constructor_args=(self,),
            batch_size=CLIPS_PER_CALL,
            batch_format="pyarrow",
            num_cpus=EMBEDDING_CPUS * self.threads,
            num_gpus=1 if self.gpu else None,
            compute=data.ActorPoolStrategy(size=self.workers),
        )
        for batch in embedded.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from unpacked(batch)


class Decoding:
    """One recording in, clip after clip out: Ray holds it up when the actors have enough to do."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        """Tables of one item."""
        folder = self.cluster.cache_dir or Path("~/.cache/beats-trainer/recordings").expanduser()
        limit = self.cluster.cache_bytes // (os.cpu_count() or 1)
        cache = RemoteCache(folder / f"task-{os.getpid()}", limit)  # processes keep no common books
        for source, done in unpacked(batch):
            for item in read_source(source, self.cluster.settings.cutting, done, cache):
                yield packed([item])


class Actor:
    """Holds the model."""

    def __init__(self, cluster: Cluster) -> None:
        import torch

        from beats_trainer.embed.encode import repeat_encoding
        from beats_trainer.load import Found

        torch.set_num_threads(cluster.threads)
        self.encoding = repeat_encoding(
            Found(cluster.checkpoint),
            cluster.settings,
            advice=f"Put the same file on every machine; this is {platform.node()}.",
            device="cuda" if cluster.gpu else "cpu",
            batch_size=cluster.batch_size,
        )

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Clips with their rows and without their sound; what has ended goes through."""
        items = unpacked(batch)
        clips = [item for item in items if isinstance(item, Clip)]
        done: list[Done] = [without_sound(clip, rows) for clip, rows in self.encoding(clips)]
        return packed([[*done, *(item for item in items if isinstance(item, Ended))]])


def packed(items: Sequence[Any]) -> pa.Table:
    """Python objects as a column of bytes."""
    return pa.table({ITEM: pa.array([pickle.dumps(item, protocol=5) for item in items], pa.large_binary())})


def unpacked(batch: pa.Table) -> list[Any]:
    """The inverse of `packed`; the bytes come from our own processes of this run."""
    return [pickle.loads(item.as_buffer()) for item in batch.column(ITEM)]  # noqa: S301


def start_ray() -> int:
    """Join the cluster that `RAY_ADDRESS` names, or start one on this machine; returns its CPUs.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _ray_data()
    import ray

    if not ray.is_initialized():
        dashboard = None if "RAY_ADDRESS" in os.environ else False
        ray.init(include_dashboard=dashboard, log_to_driver=False, logging_level=logging.WARNING)
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def _ray_data() -> ModuleType:
    data = needs("ray.data", "ray", "--engine ray needs Ray")
    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return data
