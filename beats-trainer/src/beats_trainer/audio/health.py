"""What the samples of a recording look like, gathered block by block while it is decoded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from beats_trainer.audio.damage import Finding

Block = npt.NDArray[np.float32]

QUIETEST_STEP = 2.0**-15  # one step of 16 bits: nothing was recorded that differs by less
FULL_SCALE = 0.9999
CLIPPED_RUN = 3  # samples at full scale, one after another
CLIPPED_SHARE = 1e-4


class Health:
    """The extremes, the clipped and the broken samples of all blocks so far."""

    def __init__(self) -> None:
        self.frames = 0
        self.samples = 0
        self.lowest, self.highest = np.inf, -np.inf
        self.clipped = 0
        self.broken: list[tuple[int, int]] = []

    def watch(self, block: Block) -> Block:
        """Take note of `(frames, channels)`; it comes back with 0 for samples that are not finite."""
        low, high = (float(block.min()), float(block.max())) if block.size else (0.0, 0.0)
        if not np.isfinite([low, high]).all():
            block = self._mended(block)
            low, high = float(block.min()), float(block.max())
        if high >= FULL_SCALE or low <= -FULL_SCALE:
            self.clipped += _clipped(block)
        self.lowest, self.highest = min(self.lowest, low), max(self.highest, high)
        self.frames += len(block)
        self.samples += block.size
        return block

    def broken_within(self, start_s: float, end_s: float, sample_rate: int, margin_s: float = 0.05) -> bool:
        """Whether samples that are not finite reach into this stretch of time."""
        first, last = (start_s - margin_s) * sample_rate, (end_s + margin_s) * sample_rate
        return any(start < last and stop > first for start, stop in self.broken)

    def findings(self) -> list[Finding]:
        """What the samples show to be wrong."""
        found = []
        if self.broken:
            count = sum(stop - start for start, stop in self.broken)
            found.append(
                Finding("nan", f"up to {count:,} frames hold NaN or infinity; clips with them are left out")
            )
        if self.samples and self.highest - self.lowest <= 2 * QUIETEST_STEP:
            found.append(
                Finding("silent", f"no sample differs from another by more than {2 * QUIETEST_STEP:.1g}")
            )
        share = self.clipped / max(1, self.samples)
        if share > CLIPPED_SHARE:
            found.append(Finding("clipped", f"{100 * share:.2f} % of the samples are stuck at full scale"))
        return found

    def _mended(self, block: Block) -> Block:
        rows = np.flatnonzero(~np.isfinite(block).all(axis=1)) + self.frames
        breaks = np.flatnonzero(np.diff(rows) > 1)
        starts, stops = rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]] + 1
        if len(starts) > 64:  # riddled: one span for the block
            starts, stops = rows[:1], rows[-1:] + 1
        self.broken += [(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]
        return np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)


def _clipped(block: Block) -> int:
    """Samples in runs at full scale, all channels together."""
    total = 0
    for channel in block.T:
        stuck = np.abs(channel) >= FULL_SCALE
        edges = np.flatnonzero(np.diff(np.r_[0, stuck.view(np.int8), 0]))
        runs = edges[1::2] - edges[::2]
        total += int(runs[runs >= CLIPPED_RUN].sum())
    return total
