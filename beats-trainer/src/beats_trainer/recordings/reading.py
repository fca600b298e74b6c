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
from beats_trainer.audio.decode import open_recording
from beats_trainer.audio.playback import Playback, Tracks
from beats_trainer.audio.recording import OpenRecording
from beats_trainer.errors import MissingExtraError, RecordingError
from beats_trainer.recordings.metadata import Deployment, complete
from beats_trainer.recordings.recording_facts import FileStamp, RecordingFacts
from beats_trainer.recordings.remote import RemoteCache, unspoken
from beats_trainer.recordings.sources import Source

Waveform = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """One clip; `waveform` is `(samples, tracks)` at 16 kHz, None if it cannot be embedded.

    `damaged` says that a part of it could not be decoded and is silence. `share` is how much of the recording
    lies before its end, as far as the header knows; `stamp` says which file it is of.
    """

    recording: str
    index: int
    start_s: float
    end_s: float
    deployment: Deployment
    waveform: Waveform | None
    share: float = 0.0
    damaged: bool = False
    stamp: FileStamp | None = None


@dataclass(frozen=True)
class Ended:
    """A recording has been read to its end."""

    recording: str
    facts: RecordingFacts
    stamp: FileStamp | None = None


@dataclass(frozen=True)
class Cutting:
    """What of a recording becomes clips.

    Args:
        plan: How it is cut.
        tracks: Which of its channels become waveforms.
        keep_damaged: Whether clips are kept of which a part could not be decoded.
    """

    plan: ClipPlan
    tracks: Tracks = "mix"
    keep_damaged: bool = False


def read_clips(
    source: Source, path: Path, cutting: Cutting, done: Spans | None = None
) -> Iterator[Clip | Ended]:
    """The clips of a recording that are not done yet, in order, and then what is known of it.

    Args:
        source: The recording.
        path: Where it lies on this machine.
        cutting: What of it becomes clips.
        done: Clips to leave out. The file is decoded from its start all the same: a resampler that starts in
            the middle would not give exactly the same samples.
    """
    reading = Reading(source, path, cutting)
    try:
        with open_recording(path) as recording:
            yield from reading.clips(recording, done or Spans())
    except RecordingError as error:
        reading.playback.note("empty" if reading.size == 0 else "undecodable", str(error))
    reading.refuse_change()
    yield Ended(source.name, reading.facts(), reading.stamp)


def ended_unread(source: Source, reason: str) -> Ended:
    """For a recording that could not be read for a reason that may pass."""
    return Ended(source.name, RecordingFacts(size=-1, findings=(Finding("unreadable", reason),)))


UNREADABLE = (OSError, MissingExtraError)


class Reading:
    """The state of reading one recording."""

    def __init__(self, source: Source, path: Path, cutting: Cutting) -> None:
        self.source, self.path, self.cutting = source, path, cutting
        self.read_from = FileStamp.of(path)
        self.stamp = None if source.remote else self.read_from
        self.size = self.read_from.size
        self.playback = Playback(path, cutting.tracks, header_findings(path))
        self.deployment = complete(source.deployment, path, source.name, source.rules)
        if self.deployment.doubts:
            self.playback.note("metadata", "; ".join(self.deployment.doubts))
        self.digest = hashlib.blake2b(digest_size=16)
        self.recording: OpenRecording | None = None
        self.count = self.left_out = 0

    def clips(self, recording: OpenRecording, done: Spans) -> Iterator[Clip]:
        """Cut, and leave out what is done or broken."""
        self.recording = recording
        for index, piece in enumerate(cut_clips(self._blocks(recording), self.cutting.plan)):
            self.count = index + 1
            if index not in done:
                yield self._clip(index, piece, recording)
        if not self.count:
            kind: Kind = "short" if self.playback.samples else "empty"
            detail = f"{self.playback.duration_s:.3f} s of sound, of which no clip was cut"
            self.playback.note(kind, detail)

    def _clip(self, index: int, piece: Cut, recording: OpenRecording) -> Clip:
        broken = self.playback.health.broken_within(piece.start_s, piece.end_s, recording.sample_rate)
        damaged = self.playback.damaged_within(piece.start_s, piece.end_s)
        unfit = broken or (damaged and not self.cutting.keep_damaged)
        self.left_out += unfit
        end_s = min(piece.end_s, self.playback.duration_s)
        share = min(1.0, end_s * recording.sample_rate / recording.frames) if recording.frames else 0.0
        return Clip(
            self.source.name,
            index,
            piece.start_s,
            end_s,
            self.deployment,
            None if unfit else piece.waveform,
            share,
            damaged,
            self.stamp,
        )

    def _blocks(self, recording: OpenRecording) -> Iterator[Waveform]:
        for block in self.playback.blocks(recording):
            self.digest.update(np.ascontiguousarray(block).data)
            yield block

    def refuse_change(self) -> None:
        """A file that is still written to, or was replaced, is read again by the next run."""
        now = FileStamp.of(self.path)
        if now != self.read_from:
            grown = f"{self.read_from.size:,} bytes when it was opened, {now.size:,} when it had been read"
            self.playback.note("changed", f"{grown}; the next run reads it again")

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
            described=hashlib.blake2b(repr(self.deployment).encode(), digest_size=8).hexdigest(),
            findings=(*self.playback.findings, *self.playback.health.findings()),
        )


# A recording wherever it lies: fetched if need be, read, and whatever goes wrong with it told as its end.
def read_source(
    source: Source, cutting: Cutting, done: Spans | None, cache: RemoteCache
) -> Iterator[Clip | Ended]:
    """The clips that are not done yet, and what is known of the recording; no error of it gets out.

    Args:
        source: The recording.
        cutting: What of it becomes clips.
        done: Clips to leave out.
        cache: Where it is fetched to if it lies behind a URL.
    """
    try:
        if source.remote:
            with cache.local(source.location) as path:
                yield from read_clips(source, path, cutting, done)
        else:
            yield from read_clips(source, Path(source.location), cutting, done)
    except UNREADABLE as error:
        yield ended_unread(source, unspoken(error, source.location))
    except Exception as error:
        reason = unspoken(error, source.location)
        logger.warning("%s: %s", source.name, reason, exc_info=logger.isEnabledFor(logging.DEBUG))
        yield ended_unread(source, reason)
