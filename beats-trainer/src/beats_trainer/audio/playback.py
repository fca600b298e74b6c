"""A recording from its start to its end: its samples at 16 kHz, and what is wrong with it.

The command and the library both read through here, so that they hear and find the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr

from beats_trainer.audio.completeness import count_finding
from beats_trainer.audio.damage import Finding, Kind
from beats_trainer.audio.health import Health
from beats_trainer.audio.recording import OpenRecording
from beats_trainer.errors import RecordingError
from beats_trainer.sampling import SAMPLE_RATE

QUALITY = "HQ"
MARGIN_S = 0.05  # more than the resampler reaches to either side
RECOVERY_S = 0.15  # after a hole in which a lossy decoder finds its state again: RFC 7845 has 80 ms for Opus
Block = npt.NDArray[np.float32]
Channels = Literal["mix", "first"] | int
Tracks = Literal["mix", "first", "each"]


class Playback:
    """One pass over a recording.

    Args:
        path: The file.
        channels: The mean of all channels, the first, one by its number from 0, or each as a track.
        findings: What its headers show to be wrong, where that matters.
    """

    def __init__(self, path: Path, channels: Channels | Tracks, findings: Iterable[Finding] = ()) -> None:
        self.path, self.channels = path, channels
        self.findings = list(findings)
        self.health = Health()
        self.samples = 0  # of each track, at 16 kHz
        self.failure: RecordingError | None = None
        self.holes: list[tuple[float, float]] = []  # seconds from and to which nothing could be decoded

    def blocks(self, recording: OpenRecording) -> Iterator[Block]:
        """Blocks `(samples, tracks)`; joined, they are exactly the recording resampled at once.

        Where decoding fails, the recording ends, and `failure` says why.

        Raises:
            RecordingError: Nothing of it can be decoded, or it has no such channel.
        """
        try:
            for block in _resampled(self._tracks(recording), recording.sample_rate):
                self.samples += len(block)
                yield block
        except RecordingError as error:
            if not self.samples:
                raise
            self.failure = error
            self.note("undecodable", f"from {self.duration_s:.1f} s on: {error}")
        decoded = recording.first + self.health.frames
        self._note_holes()
        if finding := count_finding(self.path, recording.frames, decoded):
            self.note(finding.kind, finding.detail)

    def damaged_within(self, start_s: float, end_s: float) -> bool:
        """Whether a stretch that could not be decoded reaches into this one."""
        return any(start < end_s + MARGIN_S and stop + RECOVERY_S > start_s for start, stop in self.holes)

    def _note_holes(self) -> None:
        if self.holes:
            lost = sum(stop - start for start, stop in self.holes)
            self.note(
                "damaged",
                f"cannot be decoded at {self.holes[0][0]:.1f} s{_more(self.holes)}: {lost:.1f} s in all, "
                "for which silence stands",
            )

    @property
    def duration_s(self) -> float:
        """Seconds that have been decoded."""
        return self.samples / SAMPLE_RATE

    def note(self, kind: Kind, detail: str) -> None:
        """What is wrong; once is enough for each kind."""
        if all(finding.kind != kind for finding in self.findings):
            self.findings.append(Finding(kind, detail))

    def _tracks(self, recording: OpenRecording) -> Iterator[Block]:
        """What is chosen of each block; channels that nobody asked for are not judged."""
        for block in recording.blocks:
            known = recording.holes[len(self.holes) :]
            self.holes += [(a / recording.sample_rate, b / recording.sample_rate) for a, b in known]
            finite = self.health.watch(self._chosen(block))
            mixed = self.channels == "mix" and finite.shape[1] > 1
            yield finite.mean(axis=1, keepdims=True) if mixed else np.ascontiguousarray(finite)

    def _chosen(self, block: Block) -> Block:
        if self.channels in {"mix", "each"}:
            return block
        index = 0 if self.channels == "first" else int(self.channels)
        if not 0 <= index < block.shape[1]:
            message = f"{self.path} has no channel {index}: it has {block.shape[1]}, counted from 0."
            raise RecordingError(message)
        return block[:, index : index + 1]


def _more(holes: list[tuple[float, float]]) -> str:
    return f" and in {len(holes) - 1:,} other stretches" if len(holes) > 1 else ""


def _resampled(blocks: Iterator[Block], rate: int) -> Iterator[Block]:
    """At 16 kHz: the only place where what is decoded changes its rate."""
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    stream, count = None, 1
    for block in blocks:
        if stream is None:  # the first block knows how many tracks there are
            count = block.shape[1]
            stream = soxr.ResampleStream(rate, SAMPLE_RATE, count, dtype="float32", quality=QUALITY)
        yield stream.resample_chunk(block).reshape(-1, count)
    if stream is not None:
        yield stream.resample_chunk(np.empty((0, count), np.float32), last=True).reshape(-1, count)
