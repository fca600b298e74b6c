"""A recording as it lies in its file: its rate, its channels, its samples block by block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beats_trainer.audio.libsndfile import open_libsndfile
from beats_trainer.audio.recording import BLOCK_S, Block, OpenRecording, undecodable_error
from beats_trainer.errors import RecordingError
from beats_trainer.extras import needs

if TYPE_CHECKING:
    from types import ModuleType

SOUNDFILE_SUFFIXES = frozenset(
    [
        ".wav",
        ".w64",
        ".rf64",
        ".bwf",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".mp2",
        ".aif",
        ".aiff",
        ".aifc",
        ".caf",
        ".au",
        ".snd",
    ]
)
FFMPEG_SUFFIXES = frozenset(
    [
        ".m4a",
        ".aac",
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".mka",
        ".webm",
        ".avi",
        ".wma",
        ".wmv",
        ".amr",
        ".3gp",
        ".ac3",
        ".ts",
    ]
)


@contextmanager
def open_recording(path: str | PathLike[str], start_s: int = 0) -> Iterator[OpenRecording]:
    """Opens a recording: by libsndfile, or by FFmpeg if its suffix is one of the extra `ffmpeg`.

    Its `blocks` begin `start_s` seconds in.

    Raises:
        RecordingError: It is no recording, or an empty one; from `blocks`: it cannot be decoded further.
        FileNotFoundError: It is not there.
        MissingExtraError: Its format needs PyAV, which is not installed.
    """
    path = Path(path)
    _refuse_absent(path)
    opener = _ffmpeg if path.suffix.lower() in FFMPEG_SUFFIXES else open_libsndfile
    with opener(path, start_s) as recording:
        yield recording


def _refuse_absent(path: Path) -> None:
    if not path.is_file():
        message = f"there is no recording {path}. Expected the path of an audio file."
        raise FileNotFoundError(message)
    if not path.stat().st_size:
        message = f"{path} is empty: the file has 0 bytes. Nothing can be read from it."
        raise RecordingError(message)


@contextmanager
def _ffmpeg(path: Path, start_s: int) -> Iterator[OpenRecording]:
    av = _pyav(path)
    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise undecodable_error(path, error) from error
    with container:
        if not container.streams.audio:
            raise undecodable_error(path, ValueError("it has no sound"))
        stream = container.streams.audio[0]
        first = start_s * stream.rate
        blocks = _from(_joined(_decode(av, container, path), stream), first)
        yield OpenRecording(container.format.name, stream.rate, stream.channels, 0, first, blocks)


def _pyav(path: Path) -> ModuleType:
    return needs("av", "ffmpeg", f"{path} needs FFmpeg's decoders")


def _decode(av: Any, container: Any, path: Path) -> Iterator[Block]:
    """Frames of whatever size the codec has, each `(samples, channels)`."""
    planar = av.AudioResampler(format="fltp")
    try:
        for frame in container.decode(audio=0):
            for converted in planar.resample(frame):
                yield converted.to_ndarray().T
    except av.FFmpegError as error:
        raise undecodable_error(path, error) from error


def _from(blocks: Iterator[Block], first: int) -> Iterator[Block]:
    """Blocks without the frames before the first: FFmpeg's seeking is not exact, so it is not used."""
    for block in blocks:
        if first < len(block):
            yield block[first:]
        first = max(0, first - len(block))


def _joined(frames: Iterator[Block], stream: Any) -> Iterator[Block]:
    """Codec frames hold some milliseconds: join them to blocks; before an error comes what there is."""
    held: list[Block] = []
    length = 0
    try:
        for frame in frames:
            held.append(frame)
            length += len(frame)
            if length >= BLOCK_S * stream.rate:
                yield np.ascontiguousarray(np.concatenate(held))
                held, length = [], 0
    except RecordingError:
        if held:
            yield np.ascontiguousarray(np.concatenate(held))
        raise
    if held:
        yield np.ascontiguousarray(np.concatenate(held))
