"""What can be chosen when recordings are embedded, with its default: for the command and for the library.

This imports neither torch nor Arrow, so that `beats --help` has the defaults without waiting for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from beats_trainer.pins.registry import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from beats_trainer.audio.clips import Last
    from beats_trainer.encoder.model import Precision
    from beats_trainer.recordings.filenames import NameRules

Pooling = Literal["mean", "max", "first", "last"]
Channels = Literal["mix", "first", "each"]
Dtype = Literal["float32", "float16"]
Engine = Literal["local", "ray"]
Damaged = Literal["leave", "keep"]

WORDS: Mapping[str, tuple[str, ...]] = {
    "last": ("full", "pad", "drop", "extend"),
    "pooling": ("mean", "max", "first", "last"),
    "channels": ("mix", "first", "each"),
    "dtype": ("float32", "float16"),
    "precision": ("fp32", "bf16"),
    "engine": ("local", "ray"),
    "damaged": ("leave", "keep"),
}


@dataclass(frozen=True)
class Choices:
    """What is asked of a run; `embed_recordings` says what each means.

    Raises:
        ValueError: There is no such choice.
    """

    model: str | PathLike[str] = DEFAULT_CHECKPOINT
    clip_s: float = 10.0
    hop_s: float | None = None
    last: Last = "full"
    layers: tuple[int, ...] = ()
    pooling: Pooling = "mean"
    normalize: bool = True
    channels: Channels = "mix"
    damaged: Damaged = "leave"
    dtype: Dtype = "float32"
    precision: Precision = "fp32"
    batch_size: int | Literal["auto"] = "auto"
    device: str = "auto"
    workers: int | None = None
    resume: bool = True
    redo: tuple[str, ...] = ()
    relative_to: str | PathLike[str] | None = None
    utc_offset: str | None = None
    time_format: str | None = None
    site_from: str | None = None
    shard: str = "1/1"
    engine: Engine = "local"
    strict: bool = False
    cache_dir: str | PathLike[str] | None = None
    cache_gb: float = 10.0

    def __post_init__(self) -> None:
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                self._refuse(name, f"one of {', '.join(words)}")
        if self.batch_size != "auto" and not _is_count(self.batch_size):
            self._refuse("batch_size", "auto, or a number from 1")
        if self.workers is not None and not _is_count(self.workers):
            self._refuse("workers", "a number from 1")

    def _refuse(self, name: str, expected: str) -> NoReturn:
        message = f"{name} is {getattr(self, name)!r}; expected {expected}. Nothing was embedded."
        raise ValueError(message)

    @property
    def clips_at_once(self) -> int | None:
        """Clips of full length that go through the encoder at once; none where what runs fastest is taken."""
        return None if self.batch_size == "auto" else self.batch_size

    @property
    def rules(self) -> NameRules:
        """How the names of recordings are read."""
        from beats_trainer.recordings.filenames import NameRules
        from beats_trainer.recordings.said import read_zone

        zone = None if self.utc_offset is None else read_zone(self.utc_offset)
        return NameRules(zone, self.time_format, self.site_from)

    @property
    def root(self) -> Path | None:
        """From where recordings are named."""
        return None if self.relative_to is None else Path(self.relative_to)

    @property
    def cache_bytes(self) -> int:
        """What recordings behind URLs may take on the disk."""
        return int(self.cache_gb * 1e9)

    @property
    def cache_folder(self) -> Path | None:
        """Where they lie; beside the table without it."""
        return None if self.cache_dir is None else Path(self.cache_dir)


DEFAULTS = Choices()


def _is_count(number: object) -> bool:
    return isinstance(number, int) and number >= 1
