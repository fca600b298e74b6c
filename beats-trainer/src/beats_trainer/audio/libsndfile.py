"""What libsndfile reads: all of the sound, also where the header is wrong or a part is damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from beats_trainer.audio import flac, mp3, ogg
from beats_trainer.audio.extent import find_extent
from beats_trainer.audio.pieces import Pieces
from beats_trainer.audio.recording import BLOCK_S, Block, OpenRecording, undecodable_error
from beats_trainer.audio.stretches import Stretch
from beats_trainer.errors import RecordingError

# Of one sample, where it is stored as a number and nothing else.
PLAIN_BYTES = {
    "PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8,
    "ULAW": 1, "ALAW": 1,
}  # fmt: skip
BIG_ENDIAN = frozenset({"AIFF", "AU", "CAF"})  # if they do not say otherwise
UNKNOWN = 1 << 62  # frames and more are said of a stream whose length nobody knows


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its start to its end, without a search for its place after every block."""

    def seekable(self) -> bool:
        """Not while it is read: soundfile would seek to where it is, which no damaged file survives."""
        return False


@contextmanager
def open_libsndfile(path: Path, start_s: int) -> Iterator[OpenRecording]:
    """Opens a recording by libsndfile; `open_recording` says more."""
    try:
        opened = _opened(path)
        name, file = opened.format, _as_it_lies(opened, path)
    except soundfile.LibsndfileError as error:
        raise undecodable_error(path, error) from error
    with file:
        reader = _Reader(path, name, file)
        yield reader.opened(start_s * file.samplerate)


def _opened(path: Path) -> _Forward:
    """The file, or where what follows its samples is taken amiss, the file up to there."""
    try:
        return _Forward(path if os.name == "nt" else os.fsencode(path))  # a name may have no encoding
    except soundfile.LibsndfileError:
        extent = find_extent(path)
        if extent is None or not extent.size:
            raise
        return _Forward(Pieces(path, [(0, extent.offset + extent.size)]))


def _as_it_lies(file: _Forward, path: Path) -> _Forward:
    """The file with all of its samples, where its header tells of fewer, or of none."""
    width = file.channels * PLAIN_BYTES.get(file.subtype, 0)
    extent = find_extent(path) if width else None
    if extent is None or extent.told:
        return file
    end = min(extent.offset + -(-extent.size // width) * width, path.stat().st_size)
    plain = {"samplerate": file.samplerate, "channels": file.channels, "subtype": file.subtype}
    order = ("BIG" if file.format in BIG_ENDIAN else "LITTLE") if file.endian == "FILE" else file.endian
    file.close()
    samples = Pieces(path, [(extent.offset, end)])
    return _Forward(samples, format="RAW", endian=order, **plain)


class _Reader:
    """One file in whatever stretches it must be read; `position` is the next frame."""

    def __init__(self, path: Path, name: str, file: _Forward) -> None:
        self.path, self.name, self.file = path, name, file
        self.position = 0
        self.holes: list[tuple[int, int]] = []

    def opened(self, start: int) -> OpenRecording:
        """Its blocks from this frame on."""
        stretches = self._stretches()
        if stretches:
            blocks, frames, first = _behind(self._play_all(stretches), start), 0, start
        else:
            first = self.file.seek(min(start, self.file.frames)) if start else 0
            self.position, blocks, frames = first, self._as_one(), self._frames()
        rate, channels = self.file.samplerate, self.file.channels
        return OpenRecording(self.name, rate, channels, frames, first, blocks, self.holes)

    def _stretches(self) -> list[Stretch] | None:
        if self.name == "OGG":
            return ogg.find_stretches(self.path, self.file.samplerate)
        if self.name in {"MPEG", "MP3"}:
            return mp3.find_stretches(self.path)
        whole = self._longer_flac()
        return [whole] if whole else None

    def _longer_flac(self) -> Stretch | None:
        length = flac.measure_flac(self.path) if self.name == "FLAC" else None
        more = length is not None and (0 < length.told < length.samples or length.tagged)
        return flac.all_of(self.path) if more else None

    def _frames(self) -> int:
        length = flac.measure_flac(self.path) if self.name == "FLAC" else None
        frames = self.file.frames if length is None else length.samples
        return 0 if frames >= UNKNOWN else frames

    def _as_one(self) -> Iterator[Block]:
        """The file as it lies; a FLAC file goes on behind a frame that is damaged."""
        try:
            yield from self._counted(self.file)
        except RecordingError:
            intact = flac.intact_stretches(self.path, self.position) if self.name == "FLAC" else []
            if not intact:
                raise
            yield from self._play_all(intact)

    def _play_all(self, stretches: Sequence[Stretch]) -> Iterator[Block]:
        """One behind the other; what cannot be decoded of one is a hole, but for the last."""
        for stretch in stretches:
            try:
                yield from self._play(stretch)
            except RecordingError:
                if stretch is stretches[-1]:
                    raise

    def _play(self, stretch: Stretch) -> Iterator[Block]:
        try:
            part = _Forward(Pieces(self.path, stretch.pieces))
        except soundfile.LibsndfileError as error:
            raise undecodable_error(self.path, error) from error
        with part:
            self._refuse_other_rate(part)
            begins = self.position if stretch.begins is None else stretch.begins
            begins = stretch.ends - part.frames if stretch.ends is not None else begins
            yield from self._silence(begins)
            for block in _behind(_read(part, self.path), self.position - begins):
                self.position += len(block)
                yield _fitted(block, self.file.channels)

    def _counted(self, file: _Forward) -> Iterator[Block]:
        for block in _read(file, self.path):
            self.position += len(block)
            yield block

    def _silence(self, until: int) -> Iterator[Block]:
        """Zeros, for what could not be decoded."""
        if until > self.position:
            self.holes.append((self.position, until))
        while self.position < until:
            count = min(until - self.position, BLOCK_S * self.file.samplerate)
            self.position += count
            yield np.zeros((count, self.file.channels), np.float32)

    def _refuse_other_rate(self, part: _Forward) -> None:
        ours, theirs = self.file.samplerate, part.samplerate
        if ours != theirs:
            message = (
                f"{self.path} goes on at {self.position / ours:.1f} s with {theirs} Hz; expected {ours} Hz, "
                "as before. Split it there."
            )
            raise RecordingError(message)


def _fitted(block: Block, channels: int) -> Block:
    """A stretch of joined recordings that has other channels than the first: its mean, in each of ours."""
    if block.shape[1] == channels:
        return block
    mixed: Block = np.repeat(block.mean(axis=1, keepdims=True), channels, axis=1)
    return mixed


def _behind(blocks: Iterator[Block], first: int) -> Iterator[Block]:
    """Blocks without the frames before the first."""
    for block in blocks:
        if first < len(block):
            yield block[max(0, first) :]
        first -= min(max(0, first), len(block))


def _read(file: _Forward, path: Path) -> Iterator[Block]:
    """Blocks of 2 s; where one fails, what can be decoded of it."""
    while True:
        try:
            block: Block = file.read(BLOCK_S * file.samplerate, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise undecodable_error(path, error) from error
        if not len(block):
            return
        yield block
