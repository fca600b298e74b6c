"""How much sound comes together before the model is called: enough to be fast, no more than that takes."""

from __future__ import annotations

from dataclasses import dataclass

from beats_trainer.recordings.reading import Clip, Ended
from beats_trainer.sampling import SAMPLE_RATE


@dataclass(frozen=True)
class Gathering:
    """What makes a call of the model.

    Clips of full length fill its forward passes as they come. Of shorter ones, which have any length, many
    must be at hand before enough are alike to go together.

    Args:
        clip: Samples of a full clip.
        full_s: Seconds of full clips that make a call.
        mixed_s: Seconds of shorter ones.
    """

    clip: int
    full_s: float = 80.0
    mixed_s: float = 320.0

    def share(self, item: Clip | Ended) -> float:
        """How much of a call it makes: 1 is all of it."""
        if not isinstance(item, Clip) or item.waveform is None:
            return 0.0
        whole = self.full_s if len(item.waveform) >= self.clip else self.mixed_s
        return item.waveform.size / SAMPLE_RATE / whole
