"""What a head gets wrong: the examples furthest from what is so, and which labels it takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beats_trainer.train.evaluate import Predictions

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mistake:
    """A label that an example has and does not get, or gets and does not have.

    Args:
        recording: Whose.
        start_s: Where it begins; `end_s` where it ends.
        label: The label.
        heard: Whether it is there.
        score: What the head says, 0 to 1.
        instead: The label with the highest score, where it is another.
    """

    recording: str
    start_s: float
    end_s: float
    label: str
    heard: bool
    score: float
    instead: str


def worst_mistakes(found: Predictions, thresholds: Sequence[float], count: int) -> list[Mistake]:
    """The furthest from right, worst first; of an example its worst label alone, nothing unknown."""
    limits = np.array(thresholds or [0.5] * len(found.labels), np.float32)
    is_there = found.targets > 0
    is_wrong = ((found.scores >= limits) != is_there) & found.known
    far = np.where(is_wrong, np.abs(found.scores - is_there), -1.0)
    worst = far.argmax(axis=1)
    furthest = far[np.arange(len(far)), worst]
    order = np.argsort(-furthest, kind="stable")[:count]
    return [_mistake(found, int(unit), int(worst[unit])) for unit in order if furthest[unit] >= 0]


def _mistake(found: Predictions, unit: int, label: int) -> Mistake:
    best = int(found.scores[unit].argmax())
    return Mistake(
        found.recordings[unit], float(found.start_s[unit]), float(found.end_s[unit]), found.labels[label],
        bool(found.targets[unit, label]), float(found.scores[unit, label]),
        found.labels[best] if best != label else "",
    )  # fmt: skip


def confusion(found: Predictions) -> Counts | None:
    """`(labels, labels)`: how often each label, by row, has each as its best; None where several may be."""
    if not (found.known.all() and (found.targets.sum(axis=1) == 1).all()):
        return None
    width = len(found.labels)
    pairs = found.targets.argmax(axis=1) * width + found.scores.argmax(axis=1)
    return np.bincount(pairs, minlength=width * width).reshape(width, width)
