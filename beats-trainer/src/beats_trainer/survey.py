"""Recordings in, rows of a table out; a recording that cannot be read is reported and stops nothing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from beats_trainer.audio import Channels, stream_waveform
from beats_trainer.clips import SHORTEST, ClipPlan, Cut, cut
from beats_trainer.errors import BeatsError, RecordingError
from beats_trainer.table import Row

Embed = Callable[[list[npt.NDArray[np.float32]]], npt.NDArray[np.float32]]
BATCH = 16
AHEAD = 4  # batches that wait decoded while the model works


@dataclass(frozen=True)
class Failure:
    """A recording that is not in the table, and why."""

    recording: str
    reason: str


@dataclass
class Survey:
    """Embeds recordings one after the other, decoding the next while the model works.

    Args:
        embed: Waveforms of any lengths -> `(n, dim)`.
        plan: How recordings are cut into clips.
        channels: Which channel of a recording, or the mean of all.
        truncated: Whether truncated recordings are refused, or embedded as far as they go.
    """

    embed: Embed
    plan: ClipPlan
    channels: Channels = "mix"
    truncated: Literal["error", "keep"] = "error"
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    def rows(self, recordings: Sequence[Path]) -> Iterator[list[Row]]:
        """The rows of each recording, in order; none of one that fails."""
        waiting: queue.Queue[tuple[Path, list[Cut] | Exception | None]] = queue.Queue(AHEAD)
        stop = threading.Event()
        reader = threading.Thread(target=self._read_all, args=(recordings, waiting, stop), daemon=True)
        reader.start()
        try:
            for _ in recordings:
                yield from self._one(waiting)
        finally:
            stop.set()
            reader.join()

    def _one(self, waiting: queue.Queue[tuple[Path, list[Cut] | Exception | None]]) -> Iterator[list[Row]]:
        rows: list[Row] = []
        while True:
            path, batch = waiting.get()
            if batch is None:
                self.seconds += rows[-1].end_s if rows else 0.0
                yield rows
                return
            if isinstance(batch, Exception):
                self.failures.append(Failure(str(path), str(batch)))
                return
            rows += self._embedded(path, batch)

    def _embedded(self, path: Path, batch: list[Cut]) -> list[Row]:
        vectors = self.embed([clip.waveform for clip in batch])
        return [
            Row(str(path), clip.start_s, clip.end_s, vector)
            for clip, vector in zip(batch, vectors, strict=True)
        ]

    def _read_all(
        self,
        recordings: Sequence[Path],
        waiting: queue.Queue[tuple[Path, list[Cut] | Exception | None]],
        stop: threading.Event,
    ) -> None:
        for path in recordings:
            for item in self._read(path):
                if not _offer(waiting, (path, item), stop):
                    return

    def _read(self, path: Path) -> Iterator[list[Cut] | Exception | None]:
        """Batches of clips, then `None`; or the error that ends the recording."""
        batch: list[Cut] = []
        try:
            blocks = stream_waveform(path, channels=self.channels, truncated=self.truncated)
            for clip in cut(blocks, self.plan):
                _refuse_short(clip, path)
                batch.append(clip)
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        except (BeatsError, OSError, ValueError, MemoryError) as error:
            yield error
            return
        if batch:
            yield batch
        yield None


def _refuse_short(clip: Cut, path: Path) -> None:
    length = clip.end - clip.start
    if length < SHORTEST:
        message = (
            f"{path} is shorter than one patch: expected at least {SHORTEST / 16:.0f} ms, got "
            f"{length / 16:.0f} ms. Use `--last pad` to append silence."
        )
        raise RecordingError(message)


def _offer(waiting: queue.Queue, item: tuple[Path, object], stop: threading.Event) -> bool:  # type: ignore[type-arg]
    while not stop.is_set():
        try:
            waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
