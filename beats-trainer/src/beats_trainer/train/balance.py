"""Rare labels beside frequent ones: counted for more, or drawn more often."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from beats_trainer.train.examples import Examples, Floats, Numbers

Balance = Literal["none", "weight", "sample"]
MOST = 100.0  # times that a rare label counts for more


def balanced(examples: Examples, balance: Balance, *, seed: int = 0) -> Examples:
    """The same units, with weights by which rare labels count for more.

    Args:
        examples: To learn from.
        balance: `weight` counts each label's rarer side as much as its other; `sample` counts each unit as
            often as it is drawn when as many are drawn as there are, rare labels more often.
        seed: Of that draw.
    """
    if balance == "none":
        return examples
    if balance == "weight":
        return replace(examples, weights=_weighed(examples))
    times = np.bincount(draw_units(examples, np.random.default_rng(seed)), minlength=len(examples))
    return replace(examples, weights=(examples.weights * times[:, None]).astype(np.float32))


def draw_units(examples: Examples, dice: np.random.Generator) -> Numbers:
    """As many units as there are, with replacement: each label about as often as another, silence too."""
    return dice.choice(len(examples), size=len(examples), p=_chances(examples))


def _chances(examples: Examples) -> np.ndarray:
    """Of each unit: its rarest label decides."""
    heard = (examples.targets > 0) & (examples.weights > 0)
    groups = np.column_stack([heard, ~heard.any(axis=1)])
    rarity = groups / np.maximum(groups.sum(axis=0), 1)
    chances = np.asarray(rarity.max(axis=1), np.float64)
    return np.asarray(chances / chances.sum())


def _weighed(examples: Examples) -> Floats:
    """Weights by which the rarer side of each label counts as much as the other."""
    known = examples.weights
    heard = (known * examples.targets).sum(axis=0)
    ratio = np.clip((known.sum(axis=0) - heard) / np.maximum(heard, 1e-9), 1.0, MOST)
    return (known * np.where(examples.targets > 0, ratio, 1.0)).astype(np.float32)
