"""A file and a stretch of it in, a mono 16 kHz waveform out; the only file that decodes audio."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr

from beats_trainer.audio.completeness import missing_bytes
from beats_trainer.audio.decode import FFMPEG_SUFFIXES, Sound, open_sound
from beats_trainer.audio.health import Health
from beats_trainer.errors import RecordingError
from beats_trainer.sampling import SAMPLE_RATE

__all__ = ["Channels", "RecordingError", "probe", "read_waveform", "resample", "stream_waveform"]

QUALITY = "HQ"
RESAMPLER = f"soxr {QUALITY}"
MARGIN_S = 1  # more than the resampler's filter reaches to either side

Waveform = npt.NDArray[np.float32]
Channels = Literal["mix", "first"] | int

Tracks = Literal["mix", "first", "each"]

Block = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Probe:
    """What the header of a recording says."""

    sample_rate: int
    channels: int
    frames: int

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.frames / self.sample_rate


def probe(path: str | PathLike[str]) -> Probe:
    """Reads the header of a recording.

    Raises:
        RecordingError: It is no recording, or an empty one.
        FileNotFoundError: It is not there.
    """
    with open_sound(path) as sound:
        _refuse_empty(Path(path), sound)
        return Probe(sound.sample_rate, sound.channels, sound.frames)


def read_waveform(
    path: str | PathLike[str],
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    channels: Channels = "mix",
    truncated: Literal["error", "keep"] = "error",
) -> Waveform:
    """Reads a recording, or the stretch from `start_s` to `end_s`, as `(samples,)`: mono, 16 kHz.

    A stretch equals the same stretch of the whole recording.

    Args:
        path: Any format that libsndfile decodes, at any rate and with any number of channels.
        start_s: Seconds.
        end_s: Seconds; the end of the recording unless given.
        channels: The mean of all channels, the first, or one by its number from 0.
        truncated: Whether a recording that is shorter than its header says is an error.

    Raises:
        RecordingError: It cannot be decoded, is empty, truncated or not finite.
        FileNotFoundError: It is not there.
    """
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        message = f"no stretch from {start_s} s to {end_s} s: expected 0 <= start_s < end_s."
        raise ValueError(message)
    seek_s = max(0, math.floor(start_s) - MARGIN_S)
    start = round((start_s - seek_s) * SAMPLE_RATE)
    end = None if end_s is None else round((end_s - seek_s) * SAMPLE_RATE)
    blocks: list[Waveform] = []
    length = 0
    for block in stream_waveform(path, start_s=seek_s, channels=channels, truncated=truncated):
        blocks.append(block)
        length += len(block)
        if end is not None and length >= end:
            break
    if length <= start:
        duration_s = seek_s + length / SAMPLE_RATE
        message = f"{path} has no samples from {start_s} s on: it is {duration_s:.2f} s long."
        raise RecordingError(message)
    return np.concatenate(blocks)[start:end]


def stream_waveform(
    path: str | PathLike[str],
    *,
    start_s: int = 0,
    channels: Channels = "mix",
    truncated: Literal["error", "keep"] = "error",
) -> Iterator[Waveform]:
    """The same in blocks of about two seconds, so that memory does not grow with the recording.

    Joined together they are exactly the resampled whole. `start_s` is in whole seconds, where the sample
    grids of both rates meet.
    """
    recording = Path(path)
    with open_sound(recording, start_s) as sound:
        _refuse_empty(recording, sound)
        _refuse_truncated(recording, truncated)
        rate = sound.sample_rate
        resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality=QUALITY)
        position = min(start_s * rate, sound.frames or start_s * rate)
        for block in sound.blocks:
            mono = _mono(block, channels, recording)
            _refuse_not_finite(mono, position / rate, recording)
            position += len(mono)
            yield from _some(resampler.resample_chunk(mono) if rate != SAMPLE_RATE else mono)
        if rate != SAMPLE_RATE:
            yield from _some(resampler.resample_chunk(np.empty(0, np.float32), last=True))
        if position < sound.frames and truncated == "error":
            raise _truncated(recording, f"{sound.frames:,} frames", f"{position:,}")


def resample(waveform: npt.ArrayLike, sample_rate: int) -> Waveform:
    """A mono waveform `(samples,)` at any rate -> 16 kHz."""
    samples = np.ascontiguousarray(waveform, dtype=np.float32)
    if sample_rate == SAMPLE_RATE:
        return samples
    resampled: Waveform = soxr.resample(samples, sample_rate, SAMPLE_RATE, quality=QUALITY)
    return resampled


def _refuse_empty(path: Path, sound: Sound) -> None:
    if sound.frames == 0 and path.suffix.lower() not in FFMPEG_SUFFIXES:
        message = f"{path} is empty: its header says 0 samples. Nothing can be read from it."
        raise RecordingError(message)


def _mono(block: Waveform, channels: Channels, path: Path) -> Waveform:
    if channels == "mix":
        mixed: Waveform = block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
        return np.ascontiguousarray(mixed)
    index = 0 if channels == "first" else int(channels)
    if not 0 <= index < block.shape[1]:
        message = f"{path} has no channel {index}: it has {block.shape[1]}, counted from 0."
        raise RecordingError(message)
    return np.ascontiguousarray(block[:, index])


def _refuse_not_finite(mono: Waveform, start_s: float, path: Path) -> None:
    if not np.isfinite(mono).all():
        bad = int(np.flatnonzero(~np.isfinite(mono))[0])
        message = (
            f"{path} holds samples that are no numbers ({mono[bad]}), the first in the two seconds "
            f"from {start_s:.0f} s on. Repair the recording, or cut that stretch out."
        )
        raise RecordingError(message)


def _refuse_truncated(path: Path, truncated: Literal["error", "keep"]) -> None:
    missing = missing_bytes(path)
    if missing and truncated == "error":
        size = path.stat().st_size
        raise _truncated(path, f"{size + missing:,} bytes by its header", f"{size:,}")


def _truncated(path: Path, expected: str, got: str) -> RecordingError:
    message = (
        f"{path} is truncated: expected {expected}, got {got}. Copy it again from its recorder; to use what "
        "is there, pass truncated='keep', or --truncated keep."
    )
    return RecordingError(message)


def _some(block: Waveform) -> Iterator[Waveform]:
    if len(block):
        yield block


# Channels and rates: the blocks of a sound in, blocks of 16 kHz waveforms out, one column a track.
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
