"""What a clip sounds and looks like, small enough to travel in a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch.nn import functional

from beats_trainer.audio.read import Channels, read_waveform
from beats_trainer.embed.choices import DEFAULTS
from beats_trainer.encoder.fbank import log_mel
from beats_trainer.errors import MissingExtraError, RecordingError
from beats_trainer.foreign.names import unescaped
from beats_trainer.recordings.remote import RemoteCache, is_url, unspoken
from beats_trainer.sampling import SAMPLE_RATE, SHORTEST

LONGEST_S = 15.0  # of a clip, from its start
COLUMNS, MELS = 160, 64  # of the picture
PEAK = 0.9  # of full scale: recordings of the field are quiet, and pages have no volume knob
Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Excerpt:
    """Where a clip lies."""

    recording: str
    start_s: float
    end_s: float
    channel: int | None = None


@dataclass(frozen=True)
class Audible:
    """An MP3, and a picture of `COLUMNS` x `MELS` bytes, the lowest band first; both in base64."""

    audio: str
    picture: str
    seconds: float


@dataclass(frozen=True)
class Silence:
    """Why a clip cannot be heard."""

    reason: str


def listen_to(excerpt: Excerpt, recordings: Recordings) -> Audible | Silence:
    """A clip of at most `LONGEST_S`; no error of the recording gets out."""
    try:
        waveform = _read(excerpt, recordings)
        return Audible(_mp3(waveform), _picture(waveform), len(waveform) / SAMPLE_RATE)
    except (OSError, RecordingError, MissingExtraError, soundfile.LibsndfileError) as error:
        return Silence(str(error))


def spread_points(points: npt.NDArray[np.float32], count: int) -> Iterator[int]:
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


def _read(excerpt: Excerpt, recordings: Recordings) -> Waveform:
    end_s = min(excerpt.end_s, excerpt.start_s + LONGEST_S)
    channels: Channels = "mix" if excerpt.channel is None else excerpt.channel
    with recordings.local(excerpt.recording) as path:
        return read_waveform(path, start_s=excerpt.start_s, end_s=end_s, channels=channels, truncated="keep")


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


# Where the recordings that a table names are found: in a folder, or fetched for as long as they are read.
@dataclass(frozen=True)
class Recordings:
    """Those whose names are relative lie in `root`; those behind URLs need a `cache` to go through."""

    root: Path = Path()
    cache: RemoteCache | None = None

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The recording as a local file, which stays at least until the block ends.

        Raises:
            RecordingError: It lies behind a URL, and nothing is to be fetched.
            MissingExtraError: No package here can read such URLs.
            OSError: It cannot be fetched.
        """
        with ExitStack() as stack:
            yield self._fetched(unescaped(name), stack) if is_url(name) else self.root / unescaped(name)

    def _fetched(self, url: str, stack: ExitStack) -> Path:
        if self.cache is None:
            message = "it lies behind a URL, which is fetched for a page with --fetch alone"
            raise RecordingError(message)
        try:
            return stack.enter_context(self.cache.local(url))
        except (MissingExtraError, RecordingError):
            raise
        except Exception as error:  # each filesystem of fsspec has its own
            message = f"it cannot be fetched: {unspoken(error, url)}"
            raise OSError(message) from error


@contextmanager
def open_recordings(root: Path | None = None, *, fetch: bool = False) -> Iterator[Recordings]:
    """Recordings to read from; what is fetched is gone when the block ends."""
    with TemporaryDirectory(prefix="beats-") as folder:
        yield Recordings(root or Path(), RemoteCache(Path(folder), DEFAULTS.cache_bytes) if fetch else None)
