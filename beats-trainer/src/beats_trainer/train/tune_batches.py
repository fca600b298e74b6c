"""What a step of fine-tuning hears: the clips of some units, varied and mixed, and what is known of them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from beats_trainer.train.background import Background, mix_noise
from beats_trainer.train.balance import draw_units
from beats_trainer.train.examples import Examples, Floats
from beats_trainer.train.probe import Activation
from beats_trainer.train.settings import TrainSettings
from beats_trainer.train.sounds import Augment, ClipSounds, vary

MOST_CLIPS = 4  # of a bag that are heard in one step, others in the next epoch
FREE = ("accumulate", "epochs", "patience")  # settings that a run may go on with changed


@dataclass(frozen=True)
class Task:
    """What is learnt: the units, their sounds, and how."""

    train: Examples
    val: Examples
    sounds: ClipSounds
    activation: Activation
    settings: TrainSettings
    augment: Augment | None = None
    background: Background | None = None

    @property
    def steps(self) -> int:
        """In an epoch."""
        return math.ceil(len(self.train) / self.settings.batch)

    def order(self, epoch: int) -> np.ndarray:
        """The units of an epoch as they come: each once, or rare labels more often."""
        dice = np.random.default_rng([self.settings.seed, epoch])
        if self.settings.balance == "sample":
            return draw_units(self.train, dice)
        return dice.permutation(len(self.train))

    def fingerprint(self, encoder_sha256: str) -> str:
        """What a state that is gone on with must have been made from."""
        settings = {name: value for name, value in asdict(self.settings).items() if name not in FREE}
        said = [encoder_sha256, settings, self.train.recordings, self.val.recordings]
        said += [self.train.targets.tobytes().hex(), self.train.start_s.tolist(), self.activation]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True)
class Batch:
    """The clips of some units: waveforms, the unit of each, and what is known of the units."""

    waveforms: list[Tensor]
    unit: Tensor
    targets: Tensor
    weights: Tensor

    @classmethod
    def drawn(cls, task: Task, units: np.ndarray, epoch: int) -> Batch:
        """To learn from: each clip varied, and mixed with another of the split."""
        heard = [_heard(task, int(unit), epoch) for unit in units]
        return cls._of(
            [one.sounds for one in heard], [one.targets for one in heard], [one.weights for one in heard]
        )

    @classmethod
    def whole(cls, task: Task, units: np.ndarray) -> Batch:
        """To measure on: every clip of the units, as it is."""
        rows = [_rows_of(task.val, int(unit)) for unit in units]
        sounds = [[task.sounds(int(task.val.rows[row])) for row in some] for some in rows]
        return cls._of(sounds, list(task.val.targets[units]), list(task.val.weights[units]))

    @classmethod
    def _of(cls, sounds: Sequence[Sequence[Floats]], targets: list[Floats], weights: list[Floats]) -> Batch:
        clips = [torch.from_numpy(np.ascontiguousarray(one)) for unit in sounds for one in unit]
        unit = torch.repeat_interleave(torch.arange(len(sounds)), torch.tensor([len(one) for one in sounds]))
        return cls(clips, unit, torch.from_numpy(np.stack(targets)), torch.from_numpy(np.stack(weights)))


@dataclass(frozen=True)
class _Unit:
    sounds: list[Floats]
    targets: Floats
    weights: Floats


def _heard(task: Task, unit: int, epoch: int) -> _Unit:
    """A unit of the training split as it is heard in one epoch."""
    settings = task.settings
    dice = np.random.default_rng([settings.seed, epoch, unit])
    rows = _rows_of(task.train, unit)
    if len(rows) > MOST_CLIPS:
        rows = np.sort(dice.choice(rows, MOST_CLIPS, replace=False))
    sounds = [task.sounds(int(task.train.rows[row])) for row in rows]
    targets, weights = task.train.targets[unit], task.train.weights[unit]
    if settings.augment:
        sounds = [_varied(task, one, dice) for one in sounds]
        sounds, targets, weights = _mixed_up(task, sounds, targets, weights, dice)
    if task.activation == "softmax" and settings.smoothing:
        targets = targets * (1 - settings.smoothing) + settings.smoothing / len(targets)
    return _Unit(sounds, targets.astype(np.float32), weights.astype(np.float32))


def _varied(task: Task, sound: Floats, dice: np.random.Generator) -> Floats:
    noisy = mix_noise(sound, task.background, dice) if task.background else sound
    return vary(noisy, dice, augment=task.augment)


def _mixed_up(
    task: Task, sounds: list[Floats], targets: Floats, weights: Floats, dice: np.random.Generator
) -> tuple[list[Floats], Floats, Floats]:
    """A clip and its labels with a share of another's (mixup, Zhang et al. 2018); bags stay as they are."""
    other = int(dice.integers(len(task.train)))
    share = float(dice.beta(task.settings.mixup, task.settings.mixup)) if task.settings.mixup else 1.0
    rows = _rows_of(task.train, other)
    if share == 1.0 or len(sounds) > 1 or len(rows) > 1:
        return sounds, targets, weights
    sound = task.sounds(int(task.train.rows[rows[0]]))
    if len(sound) != len(sounds[0]):
        return sounds, targets, weights
    mixed = (share * sounds[0] + (1 - share) * sound).astype(np.float32)
    both = share * targets + (1 - share) * task.train.targets[other]
    return [mixed], both, np.minimum(weights, task.train.weights[other])


def _rows_of(examples: Examples, unit: int) -> np.ndarray:
    first, last = np.searchsorted(examples.unit, [unit, unit + 1])
    return np.arange(first, last)
