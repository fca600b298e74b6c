"""What the samples of a recording look like, gathered block by block while it is decoded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from beats_trainer.audio.damage import Finding

Block = npt.NDArray[np.float32]

QUIETEST_STEP = 2.0**-15  # one step of 16 bits: nothing was recorded that differs by less
LOUDEST = 1e10  # what is beyond is no sound on any scale, and its energy is no float32
STUCK = 0.9999  # of the highest and the lowest sample
FULL_SCALE = 0.99  # of what a sample of a converter can be; floats may go beyond and are not stuck there
CLIPPED_RUN = 3  # samples at the same height, one after another
CLIPPED_SHARE = 1e-4
CANCELLED = 0.05  # of the energy of two channels is left in their mean: 13 dB down
OFFSET = 0.1  # of full scale: a microphone's supply that reached the converter


class Health:
    """The extremes, the clipped and the broken samples of all blocks so far, channel by channel."""

    def __init__(self) -> None:
        self.frames = 0
        self.samples = 0
        self.clipped = 0
        self.broken: list[tuple[int, int]] = []
        self.lows = self.highs = self.sums = self.energies = np.zeros(0)
        self.mixed_energy = 0.0

    def watch(self, block: Block) -> Block:
        """Take note of `(frames, channels)`; it comes back with 0 for samples that are no sound."""
        block = self._finite(block)
        if block.size:
            self._measure(block)
        self.frames += len(block)
        self.samples += block.size
        return block

    def broken_within(self, start_s: float, end_s: float, sample_rate: int, margin_s: float = 0.05) -> bool:
        """Whether samples that are not finite reach into this stretch of time."""
        first, last = (start_s - margin_s) * sample_rate, (end_s + margin_s) * sample_rate
        return any(start < last and stop > first for start, stop in self.broken)

    def findings(self) -> list[Finding]:
        """What the samples show to be wrong."""
        return [*self._of_numbers(), *self._of_channels()]

    def _of_numbers(self) -> Iterator[Finding]:
        if self.broken:
            count = sum(stop - start for start, stop in self.broken)
            detail = f"up to {count:,} frames are no numbers, infinite or beyond {LOUDEST:.0e}"
            yield Finding("nan", f"{detail}; clips with them are left out")
        if self.samples and self._steps.max() <= 2:
            yield Finding("silent", f"no sample differs from another by more than {2 * QUIETEST_STEP:.1g}")
        share = self.clipped / max(1, self.samples)
        if share > CLIPPED_SHARE:
            yield Finding("clipped", f"{100 * share:.2f} % of the samples are stuck at full scale")

    def _of_channels(self) -> Iterator[Finding]:
        if not self.samples or self._steps.max() <= 2:
            return
        dead = [str(i) for i, steps in enumerate(self._steps) if steps <= 2]
        if dead:
            yield Finding("dead_channel", f"channel {', '.join(dead)} of {len(self._steps)} holds no sound")
        elif len(self.energies) > 1 and self._cancels():
            yield Finding("cancelling", "its channels cancel each other: take one, or each, not their mean")
        away = [f"{i}: {mean:+.2f}" for i, mean in enumerate(self.sums / self.frames) if abs(mean) > OFFSET]
        if away:
            yield Finding("offset", f"the mean of channel {', '.join(away)} is far from 0")

    @property
    def _steps(self) -> npt.NDArray[np.float64]:
        """How far apart the samples of each channel are, in steps of 16 bits."""
        steps: npt.NDArray[np.float64] = (self.highs - self.lows) / QUIETEST_STEP
        return steps

    def _cancels(self) -> bool:
        """Whether the mean of the channels has hardly any of their energy; offsets are no sound."""
        count = len(self.energies)
        alone = float((self.energies - self.sums**2 / self.frames).mean())
        together = self.mixed_energy - float(self.sums.mean()) ** 2 / self.frames
        return together * count < CANCELLED * alone

    def _measure(self, block: Block) -> None:
        lows, highs = block.min(axis=0), block.max(axis=0)
        if not self.samples:
            self.lows, self.highs = lows.astype(np.float64), highs.astype(np.float64)
            self.sums, self.energies = np.zeros((2, block.shape[1]))
        if max(highs.max(), -lows.min()) >= FULL_SCALE:
            self.clipped += _clipped(block)
        self.lows, self.highs = np.minimum(self.lows, lows), np.maximum(self.highs, highs)
        self.sums = self.sums + block.sum(axis=0, dtype=np.float64)
        if block.shape[1] > 1:
            self.energies = self.energies + np.einsum("fc,fc->c", block, block, dtype=np.float64)
            mixed = block.mean(axis=1)
            self.mixed_energy += float(np.einsum("f,f->", mixed, mixed, dtype=np.float64))

    def _finite(self, block: Block) -> Block:
        if not block.size or (block.min() >= -LOUDEST and block.max() <= LOUDEST):  # NaN is neither
            return block
        sound = np.isfinite(block) & (np.abs(block) <= LOUDEST)
        self._note_broken(np.flatnonzero(~sound.all(axis=1)) + self.frames)
        return np.where(sound, block, np.float32(0))

    def _note_broken(self, rows: npt.NDArray[np.intp]) -> None:
        breaks = np.flatnonzero(np.diff(rows) > 1)
        starts, stops = rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]] + 1
        if len(starts) > 64:  # riddled: one span for the block
            starts, stops = rows[:1], rows[-1:] + 1
        self.broken += [(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]


def _clipped(block: Block) -> int:
    """Samples in runs at the highest or the lowest level of their channel, all channels together."""
    total = 0
    for channel in block.T:
        for level in (float(channel.max()), float(channel.min())):
            if abs(level) < FULL_SCALE:
                continue
            stuck = np.abs(channel - level) <= (1 - STUCK) * abs(level)
            edges = np.flatnonzero(np.diff(np.r_[0, stuck.view(np.int8), 0]))
            runs = edges[1::2] - edges[::2]
            total += int(runs[runs >= CLIPPED_RUN].sum())
    return total
