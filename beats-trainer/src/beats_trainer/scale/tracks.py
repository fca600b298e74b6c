"""Channels and rates: the blocks of a sound in, blocks of 16 kHz waveforms out, one column a track."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr

from beats_trainer.audio import QUALITY
from beats_trainer.sampling import SAMPLE_RATE
from beats_trainer.scale.health import Health
from beats_trainer.scale.settings import Tracks
from beats_trainer.sound import Sound

Block = npt.NDArray[np.float32]


def track_blocks(sound: Sound, tracks: Tracks, health: Health) -> Iterator[Block]:
    """Blocks `(samples, tracks)` at 16 kHz; joined, they are exactly the recording resampled at once."""
    count = sound.channels if tracks == "each" else 1
    same = sound.sample_rate == SAMPLE_RATE
    stream = soxr.ResampleStream(sound.sample_rate, SAMPLE_RATE, count, dtype="float32", quality=QUALITY)
    for block in sound.blocks:
        chosen = _chosen(health.watch(block), tracks)
        yield chosen if same else stream.resample_chunk(chosen).reshape(-1, count)
    if not same:
        yield stream.resample_chunk(np.empty((0, count), np.float32), last=True).reshape(-1, count)


def _chosen(block: Block, tracks: Tracks) -> Block:
    if tracks == "mix" and block.shape[1] > 1:
        mixed: Block = block.mean(axis=1, keepdims=True)
        return mixed
    if tracks == "first":
        return np.ascontiguousarray(block[:, :1])
    return np.ascontiguousarray(block)
