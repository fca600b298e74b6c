"""What a clip sounds and looks like, small enough to travel in a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch.nn import functional

from beats_trainer.audio.read import Channels, read_waveform
from beats_trainer.encoder.fbank import log_mel
from beats_trainer.errors import MissingExtraError, RecordingError
from beats_trainer.sampling import SAMPLE_RATE, SHORTEST
from beats_trainer.view.recordings import Recordings

LONGEST_S = 15.0  # of a clip, from its start
COLUMNS, MELS = 160, 64  # of the picture
PEAK = 0.9  # of full scale: recordings of the field are quiet, and pages have no volume knob
Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where a clip lies."""

    recording: str
    start_s: float
    end_s: float
    channel: int | None = None


@dataclass(frozen=True)
class Sound:
    """An MP3, and a picture of `COLUMNS` x `MELS` bytes, the lowest band first; both in base64."""

    audio: str
    picture: str
    seconds: float


@dataclass(frozen=True)
class Silence:
    """Why a clip cannot be heard."""

    reason: str


def listen(place: Place, recordings: Recordings) -> Sound | Silence:
    """A clip of at most `LONGEST_S`; no error of the recording gets out."""
    try:
        waveform = _read(place, recordings)
        return Sound(_mp3(waveform), _picture(waveform), len(waveform) / SAMPLE_RATE)
    except (OSError, RecordingError, MissingExtraError, soundfile.LibsndfileError) as error:
        return Silence(str(error))


def spread(points: npt.NDArray[np.float32], count: int) -> Iterator[int]:
    """The numbers of `count` points that lie far from one another, so that every corner of a map is heard."""
    if not len(points) or not count:
        return
    centre = points.mean(axis=0)
    chosen = int(((points - centre) ** 2).sum(axis=1).argmin())
    nearest = np.full(len(points), np.inf)
    for _ in range(min(count, len(points))):
        yield chosen
        nearest = np.minimum(nearest, ((points - points[chosen]) ** 2).sum(axis=1))
        nearest[chosen] = -1
        chosen = int(nearest.argmax())


def _read(place: Place, recordings: Recordings) -> Waveform:
    end_s = min(place.end_s, place.start_s + LONGEST_S)
    channels: Channels = "mix" if place.channel is None else place.channel
    with recordings.local(place.recording) as path:
        return read_waveform(path, start_s=place.start_s, end_s=end_s, channels=channels, truncated="keep")


def _mp3(waveform: Waveform) -> str:
    loudest = float(np.abs(waveform).max()) or 1.0
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform * (PEAK / loudest), SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _picture(waveform: Waveform) -> str:
    """The log-mel energies that the encoder sees, from the faintest to the loudest of this clip."""
    padded = np.pad(waveform, (0, max(0, SHORTEST - len(waveform))))
    with torch.inference_mode():
        energies = log_mel(torch.from_numpy(padded)[None])
        small = functional.adaptive_avg_pool2d(energies, (COLUMNS, MELS))[0].numpy()
    low, high = np.percentile(small, (5, 99.5))
    levels = np.clip((small - low) / max(float(high - low), 1e-6), 0, 1)
    return base64.b64encode((levels * 255).astype(np.uint8).tobytes()).decode("ascii")
