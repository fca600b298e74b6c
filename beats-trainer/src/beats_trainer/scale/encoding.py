"""Clips in, rows out: the only file of this folder that computes with the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from beats_trainer.encoder.batches import PATCHES_PER_FORWARD, PATCHES_PER_GPU_FORWARD, embed
from beats_trainer.memory import Trimming, trim
from beats_trainer.recordings.reading import Clip
from beats_trainer.scale.gathering import Gathering
from beats_trainer.table.rows import Row
from beats_trainer.table.settings import Settings

if TYPE_CHECKING:
    from beats_trainer.encoder.model import BEATs

PATCHES_PER_SECOND = 49.6
HEAP_GROWTH = 48 << 20  # bytes; a clip of 10 s takes 34 MB on its way through the base model


class Encoding:
    """Turns clips into rows.

    Args:
        model: The encoder.
        settings: Which layers, which pooling, which channels.
        batch_size: Clips of full length that go through the encoder at once; what runs fastest without it.
    """

    def __init__(self, model: BEATs, settings: Settings, batch_size: int | None = None) -> None:
        self.model, self.settings = model, settings
        gpu = model.device.type != "cpu"
        limit = PATCHES_PER_GPU_FORWARD if gpu else PATCHES_PER_FORWARD
        self.limit = int(batch_size * settings.clip_s * PATCHES_PER_SECOND) + 8 if batch_size else limit
        self._trim = Trimming(HEAP_GROWTH)
        pass_s = self.limit / PATCHES_PER_SECOND
        self.gathering = Gathering(settings.plan.clip, max(80.0, pass_s), max(320.0, 2 * pass_s))

    def __call__(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, list[Row]]]:
        """Each clip with its rows, one a track; in the order given."""
        waveforms = [w for clip in clips for w in _tracks(clip)]
        vectors = iter(self._vectors(waveforms) if waveforms else ())
        for clip in clips:
            count = len(_tracks(clip))
            channels = range(count) if self.settings.channels == "each" else [self._channel] * count
            yield clip, [Row(clip, channel, next(vectors)) for channel in channels]

    @property
    def _channel(self) -> int | None:
        return 0 if self.settings.channels == "first" else None

    def _vectors(self, waveforms: list[np.ndarray]) -> np.ndarray:
        """`(waveforms, layers, dim)`."""
        layers = embed(
            self.model,
            waveforms,
            layers=self.settings.layers,
            pooling=self.settings.pooling,
            short="pad",
            limit=self.limit,
            after_pass=self._trim,
        )
        trim()  # within a call free heap serves again, over hours it would grow by its gaps
        stacked = torch.stack([torch.stack(clips) for clips in layers], dim=1).float()
        return (functional.normalize(stacked, dim=-1) if self.settings.normalize else stacked).numpy()


def _tracks(clip: Clip) -> list[np.ndarray]:
    return [] if clip.waveform is None else [np.ascontiguousarray(track) for track in clip.waveform.T]
