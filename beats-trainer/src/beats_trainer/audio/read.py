"""A file and a stretch of it in, a mono 16 kHz waveform out; what is no whole recording is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr

from beats_trainer.audio.completeness import header_findings
from beats_trainer.audio.decode import open_recording
from beats_trainer.audio.playback import QUALITY, Channels, Playback
from beats_trainer.errors import RecordingError
from beats_trainer.sampling import SAMPLE_RATE

__all__ = ["Channels", "RecordingError", "Truncated", "read_waveform", "resample", "stream_waveform"]

RESAMPLER = f"soxr {QUALITY}"
MARGIN_S = 1  # more than the resampler's filter reaches to either side

Waveform = npt.NDArray[np.float32]
Truncated = Literal["error", "keep"]


def read_waveform(
    path: str | PathLike[str],
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    channels: Channels = "mix",
    truncated: Truncated = "error",
) -> Waveform:
    """Reads a recording, or the stretch from `start_s` to `end_s`, as `(samples,)`: mono, 16 kHz.

    A stretch equals the same stretch of the whole recording.

    Args:
        path: Any format that libsndfile decodes, at any rate and with any number of channels.
        start_s: Seconds.
        end_s: Seconds; the end of the recording unless given.
        channels: The mean of all channels, the first, or one by its number from 0.
        truncated: Whether a recording of which sound is missing is an error, as `beats embed` finds it: less
            than its header says, a page or packet that is cut, a stretch that cannot be decoded, or no sound
            from some point on. Where it is kept, silence stands for the stretch.

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
    truncated: Truncated = "error",
) -> Iterator[Waveform]:
    """The same in blocks of about two seconds, so that memory does not grow with the recording.

    Joined together they are exactly the resampled whole. `start_s` is in whole seconds, where the sample
    grids of both rates meet.
    """
    path = Path(path)
    with open_recording(path, start_s) as recording:
        playback = Playback(path, channels, header_findings(path) if truncated == "error" else ())
        _refuse_truncated(playback, truncated)
        for block in playback.blocks(recording):
            _refuse_not_finite(playback, recording.first, recording.sample_rate)
            if len(block):
                yield block[:, 0]
        _refuse_empty(path, recording.first + playback.health.frames)
        _refuse_truncated(playback, truncated)


def resample(waveform: npt.ArrayLike, sample_rate: int) -> Waveform:
    """A mono waveform `(samples,)` at any rate -> 16 kHz."""
    samples = np.ascontiguousarray(waveform, dtype=np.float32)
    if sample_rate == SAMPLE_RATE:
        return samples
    resampled: Waveform = soxr.resample(samples, sample_rate, SAMPLE_RATE, quality=QUALITY)
    return resampled


def _refuse_empty(path: Path, frames: int) -> None:
    if not frames:
        message = f"{path} is empty: it holds 0 samples. Nothing can be read from it."
        raise RecordingError(message)


def _refuse_not_finite(playback: Playback, first: int, sample_rate: int) -> None:
    if playback.health.broken:
        start_s = (first + playback.health.broken[0][0]) / sample_rate
        message = (
            f"{playback.path} holds samples that are no numbers (NaN or infinity), the first of them "
            f"{start_s:.3f} s after its start. Repair the recording, or cut that stretch out."
        )
        raise RecordingError(message)


def _refuse_truncated(playback: Playback, truncated: Truncated) -> None:
    """The judgement is that of the report of `beats embed`; what is only unended lacks nothing."""
    if truncated == "keep":
        return
    if playback.failure is not None:
        raise playback.failure
    missing = next((f for f in playback.findings if f.kind in {"truncated", "damaged"}), None)
    if missing is not None:
        message = (
            f"{playback.path} is {missing.kind}: {missing.detail}. Copy it again from its recorder; to use "
            "what is there, pass truncated='keep', or --truncated keep."
        )
        raise RecordingError(message)
