"""From labels and a table to a head, its figures and all that they came from, in one folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from beats_trainer.atomic import written_whole
from beats_trainer.foreign.names import safe_cell
from beats_trainer.table.settings import Settings, settings_of
from beats_trainer.train.annotations import Labels, LabelsError
from beats_trainer.train.evaluate import (
    Predictions,
    best_thresholds,
    is_measurable,
    measure,
    predictions_of,
    write_predictions,
)
from beats_trainer.train.examples import Clips, Examples, Floats, join_labels, read_clips, with_sites
from beats_trainer.train.head_file import TrainedHead, activate, refuse_other_table, save_head
from beats_trainer.train.probe import Linear, activation_of, fit_centroids, fit_probe, fit_temperature
from beats_trainer.train.settings import FEWEST_EXAMPLES, TrainSettings, write_params
from beats_trainer.train.split import (
    SPLITS,
    LeakError,
    apply_split,
    count_alike,
    leave_learnt,
    make_split,
    refuse_leaks,
    refuse_unlearnable,
    write_split,
)

HEAD, PREDICTIONS, METRICS = "head.safetensors", "predictions.parquet", "metrics.json"
PARAMS, SPLIT, PLOT = "params.yaml", "split.csv", "plots/labels.csv"
BASE = "base"  # in the metrics: the encoder before it learnt
PLOTTED = ("positives", "ap", "auroc", "f1", "precision", "recall")
Callback = Callable[[str, float], None]


@dataclass(frozen=True)
class Fitted:
    """What training made: the head, its figures, and where they lie."""

    head: TrainedHead
    metrics: dict[str, Any]
    folder: Path


def fit(
    labels: Labels,
    table: str | PathLike[str],
    output: str | PathLike[str],
    settings: TrainSettings = TrainSettings(),  # noqa: B008 - frozen
    *,
    splits: dict[str, str] | None = None,
    callback: Callback | None = None,
) -> Fitted:
    """Learn a head from a table of embeddings and labels, measure it, and write both into a folder.

    Args:
        labels: What is heard where; a `split` in them is obeyed.
        table: What `beats embed` made of their recordings.
        output: The folder: `head.safetensors`, `predictions.parquet`, `metrics.json`, `params.yaml`,
            `split.csv`.
        settings: How.
        splits: The split of each recording; dealt out without it.
        callback: Is called with what is known so far: a name and a number.

    Raises:
        LabelsError: The labels do not fit the table, or nothing can be learnt from them.
        LeakError: The split leaks.
        MissingExtraError: scikit-learn is not installed.
    """
    if settings.method == "finetune":
        message = "`fit` leaves the encoder as it is: for the method finetune call `fit_encoder`."
        raise LabelsError(message)
    material = prepare(labels, table, settings, splits=splits)
    method = _method(material.examples, settings)
    linear = learn_linear(material.examples, replace(settings, method=method), callback)
    return conclude(material, linear, output, settings, method=method)


@dataclass(frozen=True)
class Material:
    """What is learnt from: the clips of a table, what the labels say of them, and on which side each is."""

    clips: Clips
    examples: Examples
    splits: dict[str, str]
    leak: bool


def prepare(
    labels: Labels,
    table: str | PathLike[str],
    settings: TrainSettings,
    *,
    splits: dict[str, str] | None = None,
) -> Material:
    """Join labels and a table, deal the recordings out, and refuse what leaks or teaches nothing.

    Args:
        labels: What is heard where.
        table: What `beats embed` made of their recordings.
        settings: How.
        splits: The split of each recording; dealt out without it.

    Raises:
        LabelsError: As `fit`.
        LeakError: The split leaks.
    """
    clips = read_clips(table, layer=settings.layer)
    labels = with_sites(labels, clips)
    dealt = splits or make_split(
        labels, by=settings.by, val=settings.val, test=settings.test, seed=settings.seed
    )
    examples = join_labels(clips, apply_split(labels, dealt), weak=settings.weak)
    leak = _leaks(examples, settings)
    refuse_unlearnable(examples)
    return Material(clips, examples, dealt, leak)


def conclude(
    material: Material,
    linear: Linear,
    output: str | PathLike[str],
    settings: TrainSettings,
    *,
    method: str,
    base: Settings | None = None,
) -> Fitted:
    """Calibrate a head on validation, measure it, and write all of it into a folder.

    Args:
        material: What it was learnt from, embedded as it is to be used.
        linear: Its numbers.
        output: The folder.
        settings: How it was learnt.
        method: By what.
        base: What made the embeddings before the encoder learnt too: whose licence goes on to hold.
    """
    head = replace(_calibrated(material, linear, method), leak=material.leak)
    found = predictions_of(material.examples, unit_scores(head, material.examples))
    metrics = _figures(found, head, material.examples, settings)
    if base is not None:
        metrics[BASE] = {"checkpoint": base.checkpoint, "sha256": base.sha256}
    return Fitted(head, metrics, _write(Path(output), head, found, metrics, settings, material.splits))


def _leaks(examples: Examples, settings: TrainSettings) -> bool:
    try:
        refuse_leaks(examples, settings.by)
    except LeakError:
        if not settings.allow_leak:
            raise
        return True
    return False


def _method(examples: Examples, settings: TrainSettings) -> Any:
    if settings.method != "auto":
        return settings.method
    train = examples.of("train")
    fewest = int((train.targets * (train.weights > 0)).sum(axis=0).min())
    return "probe" if fewest >= FEWEST_EXAMPLES else "centroid"


def learn_linear(examples: Examples, settings: TrainSettings, callback: Callback | None = None) -> Linear:
    """The head that the encoder gets as it is: centroids, or the probe."""
    train, val = examples.of("train"), examples.of("val")
    if settings.method == "centroid":
        return fit_centroids(train)
    how: dict[str, Any] = {"strength": settings.strength, "balance": settings.balance, "seed": settings.seed}
    return fit_probe(train, val, activation_of(examples), callback=callback, **how)


def _calibrated(material: Material, linear: Linear, method: str) -> TrainedHead:
    clips, examples, val = material.clips, material.examples, material.examples.of("val")
    activation = activation_of(examples)
    layer = clips.settings.layers[clips.settings.columns.index(clips.column)]
    head = TrainedHead(linear.weight, linear.bias, examples.labels, activation, clips.settings, layer, method)
    if not len(val):
        return head
    logits = linear.unit_logits(val)
    temperature = fit_temperature(logits, val, activation)
    head = replace(head, temperature=temperature)
    found = predictions_of(val, unit_scores(head, val))
    return replace(head, thresholds=best_thresholds(found) if found.known.any() else ())


def unit_scores(head: TrainedHead, examples: Examples) -> Floats:
    """`(units, labels)`: the scores of units, a bag's from all its clips."""
    logits = Linear(head.weight, head.bias).unit_logits(examples)
    return activate(logits / np.float32(head.temperature), head.activation)


def _figures(
    found: Predictions, head: TrainedHead, examples: Examples, settings: TrainSettings
) -> dict[str, Any]:
    parts = {split: found.of(split) for split in SPLITS}
    figures = {
        split: measure(part, head.thresholds, seed=settings.seed, has_interval=split != "train")
        for split, part in parts.items()
        if is_measurable(part)
    }
    alike = count_alike(examples)
    return {"method": head.method, "labels": len(head.labels), "leak": head.leak, "alike": alike, **figures}


def _write(
    folder: Path,
    head: TrainedHead,
    found: Predictions,
    metrics: dict[str, Any],
    settings: TrainSettings,
    splits: dict[str, str],
) -> Path:
    """The head comes last: who finds it finds its figures too."""
    folder.mkdir(parents=True, exist_ok=True)
    write_params(settings, folder / PARAMS)
    write_split(splits, folder / SPLIT)
    write_predictions(found, folder / PREDICTIONS)
    write_metrics(metrics, folder / METRICS)
    write_plot(metrics, folder / PLOT)
    save_head(head, folder / HEAD)
    return folder


def write_metrics(metrics: dict[str, Any], path: Path) -> None:
    """Write figures in the form that `dvc metrics show` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as written:
        written.write_text(
            json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )


def write_plot(metrics: Mapping[str, Any], path: Path) -> None:
    """Write each label's figures as a CSV that `dvc plots show` draws: of the test split, else another."""
    split = next((name for name in ("test", "val", "train") if name in metrics), None)
    labels = metrics[split]["labels"] if split else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as written, written.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("label", *PLOTTED))
        for label, values in labels.items():
            writer.writerow((safe_cell(label), *(values.get(name) for name in PLOTTED)))


def evaluate(
    head: TrainedHead,
    labels: Labels,
    table: str | PathLike[str],
    output: str | PathLike[str],
    *,
    splits: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Measure a head on labels; write predictions and figures into a folder.

    Args:
        head: The head.
        labels: What is heard where.
        table: What `beats embed` made of their recordings.
        output: The folder.
        splits: Of the run that made the head: what was not for testing there is left out here, since its
            figures would flatter.

    Raises:
        LabelsError: The labels do not fit the table, hold none of the head's, or are all that it learnt from.
        CheckpointError: The table was made otherwise than the head wants.
    """
    refuse_other_table(head, settings_of(table), str(table))
    clips = read_clips(table, layer=head.layer)
    fresh = leave_learnt(labels, splits or {})
    examples = join_labels(clips, fresh, names=head.labels)
    found = predictions_of(examples, unit_scores(head, examples))
    metrics: dict[str, Any] = {"method": head.method, "labels": len(head.labels), "leak": head.leak}
    metrics["left_out"] = len(labels.recordings) - len(fresh.recordings)
    metrics["all"] = measure(found, head.thresholds)
    write_predictions(found, Path(output) / PREDICTIONS)
    write_metrics(metrics, Path(output) / METRICS)
    return metrics
