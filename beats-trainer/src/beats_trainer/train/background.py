"""What else may sound while a label is heard: noise that is mixed into the clips to fine-tune on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from beats_trainer.audio.read import read_waveform
from beats_trainer.recordings.sources import find_sources
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.examples import Examples, Floats
from beats_trainer.train.sounds import ClipSounds

NONE, NEGATIVES = "none", "negatives"  # else it is a folder
MIXED = 0.5  # of the clips
LOUDEST_DB, SOFTEST_DB = -5.0, 20.0  # of the clip above the noise
HEARD_S = 30.0  # of a recording of noise, from its start
Background = Callable[[int, np.random.Generator], Floats]


def background_of(noise: str, train: Examples, sounds: ClipSounds) -> Background | None:
    """Draws noise `(samples,)` of the length that is asked for; None where there is none.

    Args:
        noise: `none`, `negatives` (clips of the training split that are known to hold no label), or a folder
            of recordings.
        train: The training split.
        sounds: Its clips.

    Raises:
        LabelsError: There is no such folder, or no recording in it.
    """
    if noise == NONE:
        return None
    if noise == NEGATIVES:
        return _negatives(train, sounds)
    return _recordings(noise)


def mix_noise(samples: Floats, background: Background, dice: np.random.Generator) -> Floats:
    """Every other clip with noise in it, from 5 dB louder than the clip to 20 dB softer, by their powers."""
    if dice.random() >= MIXED:
        return samples
    noise, decibels = background(len(samples), dice), dice.uniform(LOUDEST_DB, SOFTEST_DB)
    power, other = float(np.square(samples).mean()), float(np.square(noise).mean())
    if not power or not other:
        return samples
    gain = np.sqrt(power / other) * 10.0 ** (-decibels / 20)
    return (samples + noise * np.float32(gain)).astype(np.float32)


def _negatives(train: Examples, sounds: ClipSounds) -> Background | None:
    is_silent = ((train.targets == 0) & (train.weights == 1)).all(axis=1)
    rows = train.rows[is_silent[train.unit]]
    if not len(rows):
        return None
    return lambda count, dice: _cut(sounds(int(dice.choice(rows))), count, dice)


def _recordings(folder: str) -> Background:
    try:
        places = [source.location for source in find_sources([Path(folder)])]
    except FileNotFoundError as error:
        message = (
            f"train.noise is {folder}, and it gives no noise: {error} Expected a folder of recordings "
            f"without the labels, {NEGATIVES} or {NONE}. Correct --noise."
        )
        raise LabelsError(message) from error
    return lambda count, dice: _cut(
        read_waveform(str(dice.choice(places)), end_s=HEARD_S, truncated="keep"), count, dice
    )


def _cut(noise: Floats, count: int, dice: np.random.Generator) -> Floats:
    """A stretch of it; what is too short goes round."""
    first = int(dice.integers(max(1, len(noise) - count + 1)))
    return np.resize(noise[first:], count)
