"""How good scores are: figures from written predictions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.atomic import written_whole
from beats_trainer.extras import needs
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.examples import Examples, Floats

KEY = b"beats.labels"
BREAK = "\x1f"  # between labels in the metadata
RESAMPLINGS = 200
BINS = 10  # of scores, for the calibration error
FEW, SOME = 1, 5  # positives of a label that counts in cmAP
Chosen = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """Scores beside what is so. `scores`, `targets` and `known` are `(units, labels)`."""

    labels: tuple[str, ...]
    recordings: tuple[str, ...]
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    splits: tuple[str, ...]
    scores: Floats
    targets: Floats
    known: Chosen

    def of(self, split: str) -> Predictions:
        """Those of one split."""
        return self.take(np.flatnonzero(np.array(self.splits) == split))

    def take(self, rows: npt.NDArray[Any]) -> Predictions:
        """Some of the units, one perhaps more than once."""
        return replace(
            self,
            recordings=tuple(self.recordings[i] for i in rows) if self.recordings else (),
            splits=tuple(self.splits[i] for i in rows) if self.splits else (),
            **{
                name: getattr(self, name)[rows] for name in ("start_s", "end_s", "scores", "targets", "known")
            },
        )


def predictions_of(examples: Examples, scores: Floats) -> Predictions:
    """Scores of examples, beside their targets; what nobody can tell, or said, is not known.

    Raises:
        LabelsError: A score is no number.
    """
    if not np.isfinite(scores).all():
        unit = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
        message = (
            f"the scores of {examples.recordings[unit]} are no numbers: the head or its embeddings are "
            "damaged. Nothing was written. Train anew, or embed that recording again with --redo."
        )
        raise LabelsError(message)
    known = examples.weights == 1.0
    return Predictions(
        examples.labels, examples.recordings, examples.start_s, examples.end_s, examples.splits,
        scores.astype(np.float32), examples.targets, known,
    )  # fmt: skip


def write_predictions(found: Predictions, path: Path) -> None:
    """Write a Parquet file: recording, start_s, end_s, split, then `scores` and `targets` of each label."""
    width = len(found.labels)
    lists = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), width)
        for name, values in (("scores", found.scores), ("targets", found.targets), ("known", found.known))
    }
    columns = {
        "recording": pa.array(found.recordings, pa.string()),
        "start_s": pa.array(found.start_s),
        "end_s": pa.array(found.end_s),
        "split": pa.array(found.splits, pa.string()),
        **lists,
    }
    table = pa.table(columns).replace_schema_metadata({KEY: BREAK.join(found.labels).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as written:
        pq.write_table(table, written)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote."""
    table = pq.read_table(path)
    labels = tuple((table.schema.metadata or {})[KEY].decode().split(BREAK))
    lists = {
        name: table.column(name)
        .combine_chunks()
        .flatten()
        .to_numpy(zero_copy_only=False)
        .reshape(-1, len(labels))
        for name in ("scores", "targets", "known")
    }
    return Predictions(
        labels,
        tuple(table.column("recording").to_pylist()),
        table.column("start_s").to_numpy(),
        table.column("end_s").to_numpy(),
        tuple(table.column("split").to_pylist()),
        **lists,
    )


def measure(
    found: Predictions, thresholds: Sequence[float] = (), *, seed: int = 0, has_interval: bool = True
) -> dict[str, Any]:
    """Figures of predictions: of all labels, of each, and intervals by resampling recordings.

    Args:
        found: The predictions.
        thresholds: From which score each label counts as heard; 0.5 without any.
        seed: Of the resampling.
        has_interval: Whether to resample; of what was learnt from, an interval says nothing.

    Raises:
        LabelsError: There is nothing to measure.
        MissingExtraError: scikit-learn is not installed.
    """
    needs("sklearn", "train", "figures of scores need scikit-learn")
    if not is_measurable(found):
        message = (
            "nothing can be measured: no label is known to be heard in one example and not in another. Label "
            "more, with negatives, or say --exhaustive where all that is heard is annotated."
        )
        raise LabelsError(message)
    limits = np.array(thresholds or [0.5] * len(found.labels), np.float32)
    each = {label: _of_label(found, i, float(limits[i])) for i, label in enumerate(found.labels)}
    whole = _of_all(found, limits)
    whole["ece"] = calibration_error(found)
    return {**whole, "interval": _interval(found, seed) if has_interval else {}, "labels": each}


def is_measurable(found: Predictions) -> bool:
    """Whether some label is known to be heard in one unit and not in another."""
    heard, silent = (((found.targets > 0) == one) & found.known for one in (True, False))
    return bool((heard.any(axis=0) & silent.any(axis=0)).any())


def _of_label(found: Predictions, index: int, limit: float) -> dict[str, float | int | None]:
    from sklearn.metrics import roc_auc_score

    known = found.known[:, index]
    targets, scores = found.targets[known, index], found.scores[known, index]
    positives = int(targets.sum())
    heard = scores >= limit
    hits = int((heard * targets).sum())
    both = 0 < positives < len(targets)
    return {
        "positives": positives,
        "ap": average_precision(targets, scores) if both else None,
        "auroc": float(roc_auc_score(targets, scores)) if both else None,
        "precision": hits / int(heard.sum()) if heard.any() else None,
        "recall": hits / positives if positives else None,
        "threshold": limit,
    }


def _of_all(found: Predictions, limits: Floats) -> dict[str, Any]:
    heard = (found.scores >= limits) & found.known
    true = (found.targets > 0) & found.known
    hits, asked, there = (int((one).sum()) for one in (heard & true, heard, true))
    return {
        "units": len(found.recordings),
        "cmap": class_mean(found, FEW),
        "cmap5": class_mean(found, SOME),
        "f1": 2 * hits / (asked + there) if asked + there else 0.0,
        "top1": _top1(found),
    }


def class_mean(found: Predictions, fewest: int) -> float | None:
    """The mean over labels of the average precision (cmAP), of labels with so many positives or more."""
    values = []
    for index in range(len(found.labels)):
        known = found.known[:, index]
        targets = found.targets[known, index]
        if fewest <= targets.sum() < len(targets):  # of no silence all scores are right
            values.append(average_precision(targets, found.scores[known, index]))
    return float(np.mean(values)) if values else None


def average_precision(targets: Floats, scores: Floats) -> float:
    """The sum over thresholds of precision times the recall gained: as scikit-learn has it, quicker."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(targets[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of each threshold
    gained = np.diff(hits[last], prepend=0.0)
    return float((gained * hits[last] / (last + 1)).sum() / hits[-1])


def _top1(found: Predictions) -> float | None:
    """How often the best label is one that is heard, of units with any."""
    some = (found.targets * found.known).any(axis=1)
    best = found.scores[some].argmax(axis=1)
    return float(found.targets[some, best].mean()) if some.any() else None


def calibration_error(found: Predictions) -> float:
    """The expected calibration error: |share heard - mean score|, over tenths of the scores."""
    scores, targets = found.scores[found.known], found.targets[found.known]
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = [abs(float(targets[bins == one].sum() - scores[bins == one].sum())) for one in range(BINS)]
    return sum(gaps) / len(scores)


def _interval(found: Predictions, seed: int) -> dict[str, list[float]]:
    """Where cmAP lies in 95 of 100 resamplings of the recordings."""
    times = resampled(found.recordings, seed)
    each = np.stack([_resampled_precision(found, index, times) for index in range(len(found.labels))])
    is_there = np.isfinite(each)
    values = np.where(is_there, each, 0.0).sum(axis=0)[is_there.any(axis=0)]
    values /= is_there.sum(axis=0)[is_there.any(axis=0)]
    return {"cmap": [float(np.quantile(values, q)) for q in (0.025, 0.975)]} if len(values) else {}


def resampled(recordings: Sequence[str], seed: int) -> npt.NDArray[np.float64]:
    """`(resamplings, units)`: how often each unit is drawn; whole recordings are, as many as there are."""
    numbers: dict[str, int] = {}
    group = np.array([numbers.setdefault(recording, len(numbers)) for recording in recordings])
    draw = np.random.default_rng(seed)
    counts = [
        np.bincount(draw.integers(len(numbers), size=len(numbers)), minlength=len(numbers))
        for _ in range(RESAMPLINGS)
    ]
    return np.stack(counts)[:, group].astype(np.float64)


def _resampled_precision(
    found: Predictions, index: int, times: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The average precision of a label in each resampling, sorted once; no number where it has none."""
    known = np.flatnonzero(found.known[:, index])
    order = known[np.argsort(-found.scores[known, index], kind="stable")]
    drawn, targets = times[:, order], found.targets[order, index]
    last = np.append(np.flatnonzero(np.diff(found.scores[order, index])), max(len(order) - 1, 0))
    hits = np.cumsum(drawn * targets, axis=1)[:, last] if len(order) else np.zeros((len(times), 1))
    seen = np.cumsum(drawn, axis=1)[:, last] if len(order) else np.zeros((len(times), 1))
    gained = np.diff(hits, axis=1, prepend=0.0)
    whole = (gained * hits / np.maximum(seen, 1)).sum(axis=1)
    is_there = (hits[:, -1] >= FEW) & (hits[:, -1] < seen[:, -1])
    return np.where(is_there, whole / np.maximum(hits[:, -1], 1), np.nan)


def best_thresholds(found: Predictions) -> tuple[float, ...]:
    """The score for each label at which F1 is largest; 0.5 where it is never heard."""
    from sklearn.metrics import precision_recall_curve

    limits = []
    for index in range(len(found.labels)):
        known = found.known[:, index]
        targets = found.targets[known, index]
        if not 0 < targets.sum() < len(targets):
            limits.append(0.5)
            continue
        precision, recall, scores = precision_recall_curve(targets, found.scores[known, index])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = int(f1[:-1].argmax())
        limits.append(float(scores[max(best - 1, 0) : best + 1].mean()))  # midway to what must not count
    return tuple(limits)
