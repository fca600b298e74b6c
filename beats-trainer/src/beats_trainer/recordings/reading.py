"""One recording in; its clips, and at the end what is known of it and what is wrong with it, out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from beats_trainer.audio.clips import ClipPlan, Cut, Spans, cut_clips
from beats_trainer.audio.completeness import header_findings
from beats_trainer.audio.damage import Finding, Kind
from beats_trainer.audio.decode import OpenRecording, open_recording
from beats_trainer.audio.playback import Playback, Tracks
from beats_trainer.errors import MissingExtraError, RecordingError
from beats_trainer.recordings.metadata import Deployment, read_deployment
from beats_trainer.recordings.recording_facts import RecordingFacts
from beats_trainer.recordings.remote import RemoteCache, unspoken
from beats_trainer.recordings.sources import Source

Waveform = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """One clip; `waveform` is `(samples, tracks)` at 16 kHz, None if it cannot be embedded.

    `share` is how much of the recording lies before its end, as far as the header knows.
    """

    recording: str
    index: int
    start_s: float
    end_s: float
    deployment: Deployment
    waveform: Waveform | None
    share: float = 0.0


@dataclass(frozen=True)
class Ended:
    """A recording has been read to its end."""

    recording: str
    facts: RecordingFacts


def read_clips(
    source: Source, path: Path, plan: ClipPlan, tracks: Tracks, done: Spans | None = None
) -> Iterator[Clip | Ended]:
    """The clips of a recording that are not done yet, in order, and then what is known of it.

    Args:
        source: The recording.
        path: Where it lies on this machine.
        plan: How it is cut.
        tracks: Which of its channels become waveforms.
        done: Clips to leave out. The file is decoded from its start all the same: a resampler that starts in
            the middle would not give exactly the same samples.
    """
    reading = Reading(source, path, plan, tracks)
    try:
        with open_recording(path) as recording:
            yield from reading.clips(recording, done or Spans())
    except RecordingError as error:
        reading.playback.note("empty" if reading.size == 0 else "undecodable", str(error))
    yield Ended(source.name, reading.facts())


def ended_unread(source: Source, reason: str) -> Ended:
    """For a recording that could not be read for a reason that may pass."""
    return Ended(source.name, RecordingFacts(size=-1, findings=(Finding("unreadable", reason),)))


UNREADABLE = (OSError, MissingExtraError)


class Reading:
    """The state of reading one recording."""

    def __init__(self, source: Source, path: Path, plan: ClipPlan, tracks: Tracks) -> None:
        self.source, self.plan = source, plan
        self.size = path.stat().st_size
        self.playback = Playback(path, tracks, header_findings(path))
        self.deployment = source.deployment.filled(read_deployment(path, source.name))
        self.digest = hashlib.blake2b(digest_size=16)
        self.recording: OpenRecording | None = None
        self.count = self.left_out = 0

    def clips(self, recording: OpenRecording, done: Spans) -> Iterator[Clip]:
        """Cut, and leave out what is done or broken."""
        self.recording = recording
        for index, piece in enumerate(cut_clips(self._blocks(recording), self.plan)):
            self.count = index + 1
            if index not in done:
                yield self._clip(index, piece, recording)
        if not self.count:
            kind: Kind = "short" if self.playback.samples else "empty"
            detail = f"{self.playback.duration_s:.3f} s of sound, of which no clip was cut"
            self.playback.note(kind, detail)

    def _clip(self, index: int, piece: Cut, recording: OpenRecording) -> Clip:
        broken = self.playback.health.broken_within(piece.start_s, piece.end_s, recording.sample_rate)
        self.left_out += broken
        end_s = min(piece.end_s, self.playback.duration_s)
        share = min(1.0, end_s * recording.sample_rate / recording.frames) if recording.frames else 0.0
        waveform = None if broken else piece.waveform
        return Clip(self.source.name, index, piece.start_s, end_s, self.deployment, waveform, share)

    def _blocks(self, recording: OpenRecording) -> Iterator[Waveform]:
        for block in self.playback.blocks(recording):
            self.digest.update(np.ascontiguousarray(block).data)
            yield block

    def facts(self) -> RecordingFacts:
        """What is known now."""
        return RecordingFacts(
            size=self.size,
            clips=self.count,
            left_out=self.left_out,
            duration_s=self.playback.duration_s,
            sample_rate=self.recording.sample_rate if self.recording else 0,
            channels=self.recording.channels if self.recording else 0,
            format=self.recording.format if self.recording else "",
            digest=self.digest.hexdigest() if self.playback.samples else "",
            findings=(*self.playback.findings, *self.playback.health.findings()),
        )


# A recording wherever it lies: fetched if need be, read, and whatever goes wrong with it told as its end.
def read_source(
    source: Source, plan: ClipPlan, tracks: Tracks, done: Spans | None, cache: RemoteCache
) -> Iterator[Clip | Ended]:
    """The clips that are not done yet, and what is known of the recording; no error of it gets out.

    Args:
        source: The recording.
        plan: How it is cut.
        tracks: Which of its channels become waveforms.
        done: Clips to leave out.
        cache: Where it is fetched to if it lies behind a URL.
    """
    try:
        if source.remote:
            with cache.local(source.location) as path:
                yield from read_clips(source, path, plan, tracks, done)
        else:
            yield from read_clips(source, Path(source.location), plan, tracks, done)
    except UNREADABLE as error:
        yield ended_unread(source, unspoken(error, source.location))
    except Exception as error:
        reason = unspoken(error, source.location)
        logger.warning("%s: %s", source.name, reason, exc_info=logger.isEnabledFor(logging.DEBUG))
        yield ended_unread(source, reason)
