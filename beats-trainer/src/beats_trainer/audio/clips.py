"""Where the clips of a recording start and end; arithmetic only, on samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from beats_trainer.sampling import SAMPLE_RATE, SHORTEST

Last = Literal["full", "pad", "drop", "extend"]
Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClipPlan:
    """How recordings are cut.

    Args:
        clip_s: Seconds of a clip.
        hop_s: Seconds from one clip's start to the next; a clip's length unless given.
        last: What becomes of the rest at the end: `full` takes the last whole clip before the end, `pad`
            appends silence, `drop` leaves it out, `extend` lets the last clip reach to the end. A recording
            shorter than a clip is taken as it is by `full` and `extend`.
    """

    clip_s: float = 10.0
    hop_s: float | None = None
    last: Last = "full"

    def __post_init__(self) -> None:
        if self.clip < SHORTEST or self.hop <= 0:
            message = (
                f"clips of {self.clip_s} s every {self.hop / SAMPLE_RATE} s: expected at least "
                f"{SHORTEST / SAMPLE_RATE} s of sound, one patch, and a hop of more than 0."
            )
            raise ValueError(message)

    @property
    def clip(self) -> int:
        """Samples of a clip."""
        return round(self.clip_s * SAMPLE_RATE)

    @property
    def hop(self) -> int:
        """Samples from one clip's start to the next."""
        return round((self.clip_s if self.hop_s is None else self.hop_s) * SAMPLE_RATE)

    def spans(self, length: int) -> list[tuple[int, int]]:
        """Start and end, in samples, of the clips of a recording of `length` samples.

        With `pad` the last end may lie behind the recording's.
        """
        if length <= 0:
            return []
        starts = range(0, max(0, length - self.clip) + 1, self.hop) if length >= self.clip else range(0)
        whole = [(start, start + self.clip) for start in starts]
        covered = whole[-1][1] if whole else 0
        return whole if covered >= length else [*whole[: self._kept(whole)], *self._rest(whole, length)]

    def _kept(self, whole: list[tuple[int, int]]) -> int:
        return len(whole) - 1 if self.last == "extend" and whole else len(whole)

    def _rest(self, whole: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
        if self.last == "drop":
            return []
        if self.last == "pad":
            start = whole[-1][0] + self.hop if whole else 0
            return [(start, start + self.clip)] if start < length else []
        if self.last == "extend":
            return [(whole[-1][0] if whole else 0, length)]
        return [(max(0, length - self.clip), length)]


@dataclass(frozen=True)
class Cut:
    """One clip with its waveform, `(samples,)` or `(samples, tracks)`."""

    start: int
    end: int
    waveform: Waveform

    @property
    def start_s(self) -> float:
        """Seconds from the start of the recording."""
        return self.start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """Seconds from the start of the recording."""
        return self.end / SAMPLE_RATE


def cut_clips(blocks: Iterable[Waveform], plan: ClipPlan) -> Iterator[Cut]:
    """Cuts a recording that arrives in blocks, `(samples,)` or `(samples, tracks)`.

    Holds little more than one clip and one block.
    """
    held, offset, start = np.empty(0, np.float32), 0, 0
    pending: Cut | None = None
    for block in blocks:
        held = np.concatenate([held, block]) if len(held) else block
        while start + plan.clip <= offset + len(held):
            if pending is not None:
                yield pending
            first = start - offset
            # A copy: a view would keep all that is held in memory for as long as the clip waits.
            pending = Cut(start, start + plan.clip, held[first : first + plan.clip].copy())
            start += plan.hop
        # The rest may need the last clip again: all of it with `extend`, some with `full`.
        keep = max(0, min(start, pending.start if pending else 0) - offset) if pending else 0
        held, offset = held[keep:], offset + keep
    yield from _tail(plan, pending, held, offset)


def _tail(plan: ClipPlan, pending: Cut | None, held: Waveform, offset: int) -> Iterator[Cut]:
    length = offset + len(held)
    first = pending.start if pending else 0
    for start, end in plan.spans(length):
        if start >= first:
            piece = held[max(0, start - offset) : max(0, end - offset)]
            silence = np.zeros((end - start - len(piece), *piece.shape[1:]), np.float32)
            yield Cut(start, end, np.concatenate([piece, silence]))


# Which clips of a recording are done: ranges of whole numbers, kept sorted and disjoint.
class Spans:
    """A set of whole numbers as `[start, stop)` ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.ranges: list[tuple[int, int]] = []
        for start, stop in ranges:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Put in every number from `start` up to, not including, `stop`."""
        if start >= stop:
            return
        apart = [r for r in self.ranges if r[1] < start or r[0] > stop]
        touching = [r for r in self.ranges if r not in apart]
        first = min([start, *(r[0] for r in touching)])
        last = max([stop, *(r[1] for r in touching)])
        self.ranges = sorted([*apart, (first, last)])

    def __contains__(self, number: int) -> bool:
        return any(start <= number < stop for start, stop in self.ranges)

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(tuple(self.ranges))

    def __repr__(self) -> str:
        return f"Spans({self.ranges})"
