"""Cross-validation: each fold is tried on once, by a head that learnt from the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from beats_trainer.train.annotations import Labels, LabelsError
from beats_trainer.train.evaluate import Predictions, measure, read_predictions, write_predictions
from beats_trainer.train.run import METRICS, PREDICTIONS, Fitted, write_metrics
from beats_trainer.train.split import SLICES, By, deal_parts

FEWEST_FOLDS = 3  # to learn from, to choose settings by, to be tried on
SHOWN = ("top1", "cmap", "auroc", "f1", "ece")
FitFold = Callable[[Labels, Path, dict[str, str]], Fitted | None]


@dataclass(frozen=True)
class CrossValidated:
    """What all folds together showed, and where it lies."""

    metrics: dict[str, Any]
    folder: Path


def make_folds(labels: Labels, folds: int, *, by: By = "auto", seed: int = 0) -> dict[str, int]:
    """The fold of each recording, 1 and up: whole groups, labels in like shares.

    Args:
        labels: A given fold (a column `fold`) is obeyed, where every recording has one.
        folds: How many, if they give none.
        by: What stays together.
        seed: Of the dealing.

    Raises:
        LabelsError: There are too few folds or groups, or some recording has none or two.
    """
    given = {one.recording: one.split for one in labels.annotations if one.split}
    if given:
        return _given(labels, given)
    if not FEWEST_FOLDS <= folds <= SLICES:
        _refuse(f"{folds} folds were asked for", f"{FEWEST_FOLDS} to {SLICES}", "Say another number.")
    dealt = deal_parts(labels, by, seed, folds)
    return {recording: part + 1 for recording, part in dealt.items()}


def _given(labels: Labels, given: Mapping[str, str]) -> dict[str, int]:
    for one in labels.annotations:
        split = given.get(one.recording, "")
        if not (split.isascii() and split.isdecimal()) or (one.split and one.split != split):
            _refuse(
                f"the fold of {one.recording} is {split or 'not said'!r}",
                "one number for each recording",
                "Correct the column fold.",
            )
    if len(set(given.values())) < FEWEST_FOLDS:
        _refuse(f"the labels have {len(set(given.values()))} folds", f"at least {FEWEST_FOLDS}", "Add some.")
    return {recording: int(split) for recording, split in given.items()}


def _refuse(got: str, expected: str, remedy: str) -> None:
    message = f"{got}; expected {expected}. {remedy}"
    raise LabelsError(message)


def splits_of(folds: Mapping[str, int], fold: int) -> dict[str, str]:
    """One fold to be tried on, the next to choose settings by, the others to learn from."""
    numbers = sorted(set(folds.values()))
    after = numbers[(numbers.index(fold) + 1) % len(numbers)]
    sides = {fold: "test", after: "val"}
    return {recording: sides.get(number, "train") for recording, number in folds.items()}


def cross_validate(
    labels: Labels, folds: Mapping[str, int], output: Path, fit_fold: FitFold, *, seed: int = 0
) -> CrossValidated:
    """Learn and measure once for each fold, then all that was tried on together.

    Args:
        labels: What is heard where.
        folds: The fold of each recording.
        output: The folder: a run in `fold-N` for each, `predictions.parquet` and `metrics.json` of all.
        fit_fold: Learns from labels into a folder, by the split of each recording.
        seed: Of the intervals.

    Raises:
        LabelsError: As `fit` of any of them.
    """
    plain = replace(labels, annotations=tuple(replace(one, split="") for one in labels.annotations))
    numbers = sorted(set(folds.values()))
    for fold in numbers:
        fit_fold(plain, output / f"fold-{fold}", splits_of(folds, fold))
    found = _together([read_predictions(output / f"fold-{fold}" / PREDICTIONS) for fold in numbers])
    write_predictions(found, output / PREDICTIONS)
    metrics = _summary([_figures(output / f"fold-{fold}") for fold in numbers])
    metrics |= {"folds": len(numbers), "all": measure(found, seed=seed)}
    write_metrics(metrics, output / METRICS)
    return CrossValidated(metrics, output)


def _together(parts: list[Predictions]) -> Predictions:
    """What each fold was tried on; every recording is there once."""
    tried = [part.of("test") for part in parts]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in tried])
        for name in ("start_s", "end_s", "scores", "targets", "known")
    }
    recordings = tuple(name for part in tried for name in part.recordings)
    splits = tuple(split for part in tried for split in part.splits)
    return replace(tried[0], recordings=recordings, splits=splits, **arrays)


def _figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    return found


def _summary(each: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over the folds, of what every fold could measure; and whether any leaks."""
    tests = [one["test"] for one in each if "test" in one]
    known = [name for name in SHOWN if all(isinstance(test.get(name), int | float) for test in tests)]
    values = {name: [float(test[name]) for test in tests] for name in known}
    return {
        "method": each[0]["method"],
        "labels": each[0]["labels"],
        "leak": any(one["leak"] for one in each),
        "alike": sum(one["alike"] for one in each),
        "mean": {name: float(np.mean(some)) for name, some in values.items()},
        "spread": {name: float(np.std(some)) for name, some in values.items()},
    }
