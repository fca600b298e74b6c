"""A recording that is being read: its rate, its channels, its samples block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from beats_trainer.errors import RecordingError

BLOCK_S = 2
Block = npt.NDArray[np.float32]


@dataclass(frozen=True)
class OpenRecording:
    """A recording that is being read.

    `frames` is what its header says, 0 if that is not known, `first` the frame with which its `blocks` begin;
    they are `(frames, channels)`, about 2 s each. `holes` are frames `[first, stop)` of which nothing could
    be decoded: they are zeros in a block, and are known before it comes.
    """

    format: str
    sample_rate: int
    channels: int
    frames: int
    first: int
    blocks: Iterator[Block]
    holes: list[tuple[int, int]] = field(default_factory=list)


def undecodable_error(path: Path, error: Exception) -> RecordingError:
    """The error for a file, or the rest of one, that no decoder takes."""
    message = (
        f"{path} cannot be decoded ({str(error).rstrip('. ')}). Expected wav, flac, ogg, opus, mp3, aiff or "
        "another format of libsndfile; convert others first, for example with `ffmpeg -i INPUT OUTPUT.flac`."
    )
    return RecordingError(message)
