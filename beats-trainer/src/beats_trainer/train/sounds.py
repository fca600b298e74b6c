"""The sound of the clips to fine-tune on: read, and varied so that no epoch hears the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from beats_trainer.audio.playback import Channels
from beats_trainer.audio.read import read_waveform
from beats_trainer.sampling import SAMPLE_RATE
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.examples import Clips, Floats

MOST_GAIN_DB = 6.0
Augment = Callable[[Floats, int], Floats]


@dataclass(frozen=True)
class ClipSounds:
    """Reads the clips of a table from their recordings, as they were cut for it.

    Args:
        recordings: The recording of each clip.
        start_s: Where each begins; `end_s` where it ends.
        channels: How its channels become one.
    """

    recordings: tuple[str, ...]
    start_s: Sequence[float]
    end_s: Sequence[float]
    channels: Channels

    def __call__(self, row: int) -> Floats:
        """`(samples,)`: the clip of a row, mono, 16 kHz."""
        start, end = float(self.start_s[row]), float(self.end_s[row])
        found = read_waveform(
            self.recordings[row], start_s=start, end_s=end, channels=self.channels, truncated="keep"
        )
        missing = round((end - start) * SAMPLE_RATE) - len(found)
        return np.pad(found, (0, missing)) if missing > 0 else found


def sounds_of(clips: Clips) -> ClipSounds:
    """The sounds behind the rows of a table.

    Raises:
        LabelsError: Its rows are single channels, which are not read here.
    """
    if clips.settings.channels == "each":
        message = (
            "the table has a row of every channel, and fine-tuning hears their mean or the first. Embed the "
            "recordings with --channels mix or first, then train again."
        )
        raise LabelsError(message)
    return ClipSounds(clips.recordings, clips.start_s.tolist(), clips.end_s.tolist(), clips.settings.channels)


def vary(samples: Floats, dice: np.random.Generator, *, augment: Augment | None = None) -> Floats:
    """A clip begun somewhere else, louder or softer by up to 6 dB, and whatever else is asked for.

    Args:
        samples: `(samples,)`.
        dice: Of this clip in this epoch, so that neither workers nor processes change what is drawn.
        augment: A further change of `(samples, sample_rate)`.
    """
    rolled = np.roll(samples, int(dice.integers(len(samples))))
    gain = 10.0 ** (dice.uniform(-MOST_GAIN_DB, MOST_GAIN_DB) / 20)
    louder = (rolled * np.float32(gain)).astype(np.float32)
    return louder if augment is None else np.asarray(augment(louder, SAMPLE_RATE), np.float32)
