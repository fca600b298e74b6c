"""A head and its figures as the files of a model repository, with a card that says how it was measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from beats_trainer.publish.card import TAGS, Statement, card_page
from beats_trainer.publish.hub_words import hub_model
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.head_file import ENCODER, TrainedHead, encoder_beside, load_head
from beats_trainer.train.run import BASE, HEAD, METRICS, PARAMS
from beats_trainer.train.settings import TrainSettings, read_params

SHOWN_LABELS = 200
# Our figures under the names that the Hub's own metrics have.
COLUMNS = ("top1", "cmap", "auroc", "f1")
FIGURES = {
    "top1": ("accuracy", "top-1"),
    "cmap": ("average_precision", "cmAP"),
    "auroc": ("roc_auc", "AUROC"),
    "f1": ("f1", "F1"),
    "ece": ("expected_calibration_error", "calibration error"),
}


def write_head_publication(run: Path, folder: Path, statement: Statement) -> list[Path]:
    """Write the files of a repository: head, figures, settings, an encoder that learnt too, and a card.

    Args:
        run: The folder that training wrote.
        folder: Where to write them.
        statement: What its author says of it.

    Raises:
        LabelsError: A file of the run is not there, or holds no figures.
        CheckpointError: The head cannot be read.
    """
    missing = [name for name in (HEAD, METRICS, PARAMS) if not (run / name).is_file()]
    if missing:
        message = f"{run} has no {missing[0]}: expected all that `beats train` writes. Train it anew."
        raise LabelsError(message)
    folder.mkdir(parents=True, exist_ok=True)
    head, metrics = load_head(run / HEAD), _figures_in(run / METRICS)
    names = (HEAD, METRICS, PARAMS, *([ENCODER] if encoder_beside(run / HEAD) else []))
    for name in names:
        shutil.copyfile(run / name, folder / name)
    card = folder / "README.md"
    text = head_card(head, metrics, read_params(run / PARAMS), statement)
    card.write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in names] + [card]


def head_card(
    head: TrainedHead, metrics: Mapping[str, Any], settings: TrainSettings, statement: Statement
) -> str:
    """The README.md of a head: its figures in the Hub's form, labels, split, encoder, and how to use it."""
    name = statement.repo_id.rpartition("/")[2]
    front = {
        **statement.licence_fields,
        **({"base_model": base} if (base := hub_model(statement.base_model)) else {}),
        **({"datasets": list(statement.datasets)} if statement.datasets else {}),
        "library_name": "beats-trainer",
        "pipeline_tag": "audio-classification",
        "tags": list(TAGS),
        "model-index": [{"name": name, "results": list(_results(metrics))}],
    }
    return card_page(front, name, list(_lines(head, metrics, settings, statement)))


def _results(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A result of each split that was kept from learning."""
    for split in ("test", "val"):
        known = metrics.get(split, {})
        values = [
            {"type": kind, "name": shown, "value": round(float(known[name]), 4)}
            for name, (kind, shown) in FIGURES.items()
            if isinstance(known.get(name), int | float)
        ]
        if values:
            yield {
                "task": {"type": "audio-classification"},
                "dataset": {"type": "own", "name": "recordings of its author", "split": split},
                "metrics": values,
            }


def _lines(
    head: TrainedHead, metrics: Mapping[str, Any], settings: TrainSettings, statement: Statement
) -> Iterator[str]:
    made = head.settings
    yield f"A head on the embeddings of `{made.checkpoint}`: it hears {len(head.labels)} labels."
    if head.leak:
        yield ""
        yield "**Its split leaks: recordings of one kind stand on both sides, so its figures flatter.**"
    yield from ("", "| | |", "|---|---|")
    yield f"| encoder | `{made.checkpoint}`, sha256 `{made.sha256}` |"
    if base := base_of(metrics):
        yield f"| which learnt from | `{base['checkpoint']}`, sha256 `{base['sha256']}` |"
    yield f"| layer, pooling, clip | {head.layer}, {made.pooling}, {made.clip_s:g} s |"
    yield f"| learnt by | {head.method}, {head.activation}, temperature {head.temperature:.3g} |"
    yield f"| split by | {settings.by}, seed {settings.seed} |"
    yield f"| clips alike on both sides | {metrics.get('alike', 'not known')} |"
    yield from ("", "## Figures", "", "| split | top-1 | cmAP | AUROC | F1 |", "|---|--:|--:|--:|--:|")
    for split in ("test", "val", "train"):
        if known := metrics.get(split):
            cells = [_cell(known.get(name)) for name in COLUMNS]
            yield f"| {split} | {' | '.join(cells)} |"
    yield from ("", "## Labels", "", ", ".join(f"`{_plain(one)}`" for one in head.labels[:SHOWN_LABELS]))
    if len(head.labels) > SHOWN_LABELS:
        yield f"and {len(head.labels) - SHOWN_LABELS} more"
    yield from ("", "## How to use", "", "```bash")
    yield f"beats classify RECORDINGS --model {statement.repo_id} --events -o found.csv"
    yield "```"


def base_of(metrics: Mapping[str, Any]) -> dict[str, str] | None:
    """The encoder before it learnt, where it did."""
    base = metrics.get(BASE)
    known = isinstance(base, dict) and all(
        isinstance(base.get(name), str) for name in ("checkpoint", "sha256")
    )
    return base if known else None


def base_digest(run: Path, head: TrainedHead) -> str:
    """The sha256 of the encoder whose licence holds for a run: the one that it began with."""
    base = base_of(_figures_in(run / METRICS)) if (run / METRICS).is_file() else None
    return base["sha256"] if base else head.settings.sha256


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _plain(label: str) -> str:
    """A label inside backquotes, on one line."""
    return " ".join(label.replace("`", "'").split())


def _figures_in(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"{path} holds no figures: {error}. Train it anew."
        raise LabelsError(message) from error
    return found if isinstance(found, dict) else {}
