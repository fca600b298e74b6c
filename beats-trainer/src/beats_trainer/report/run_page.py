"""A training as one page: its figures, what is taken for what, and its worst mistakes to look at and hear."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from beats_trainer.atomic import written_whole
from beats_trainer.report.mistakes import Mistake, confusion, worst_mistakes
from beats_trainer.report.render import render_page
from beats_trainer.report.sounds import (
    COLUMNS,
    LONGEST_S,
    MELS,
    Audible,
    Excerpt,
    Recordings,
    Silence,
    listen_to,
    open_recordings,
)
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.evaluate import Predictions, read_predictions
from beats_trainer.train.head_file import TrainedHead, load_head
from beats_trainer.train.run import HEAD, METRICS, PREDICTIONS

MISTAKES = 24
CONFUSED = 40  # labels; of more no table can be read
MEASURED = ("test", "val", "train")  # the first that a run has is shown


@dataclass(frozen=True)
class RunPage:
    """What is on the page: the split, mistakes, and how many of them can be heard."""

    split: str
    mistakes: int
    heard: int


def is_run(folder: Path) -> bool:
    """Whether `beats train` wrote it: what `beats evaluate` writes has no head."""
    return all((folder / name).is_file() for name in (HEAD, PREDICTIONS, METRICS))


def write_run_page(
    folder: Path,
    target: Path,
    *,
    title: str | None = None,
    mistakes: int = MISTAKES,
    root: Path | None = None,
) -> RunPage:
    """Write the page about a training.

    Args:
        folder: What `beats train` wrote.
        target: Where to.
        title: Of the page; the folder's name without it.
        mistakes: How many are shown, with sound: about 0.1 MB each.
        root: Where recordings lie whose names are relative.

    Raises:
        LabelsError: The run has no figures.
    """
    metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    split = next((name for name in MEASURED if name in metrics), None)
    if split is None:
        message = (
            f"{folder} has no figures: no label is known to be silent anywhere. Say --exhaustive of "
            "beats labels, or add negatives, then train again."
        )
        raise LabelsError(message)
    head, found = load_head(folder / HEAD), read_predictions(folder / PREDICTIONS).of(split)
    worst = worst_mistakes(found, head.thresholds, mistakes)
    with open_recordings(root) as recordings:
        heard = _heard(worst, recordings)
    page = render_page(
        "run.html", title=title or folder.resolve().name, head=head, metrics=metrics, split=split,
        figures=metrics[split], confusion=_confusion(found), mistakes=worst, longest_s=LONGEST_S,
        silences=_silences(heard), made=_provenance(head, metrics), version=version("beats-trainer"),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), data=_data(heard),
    )  # fmt: skip
    with written_whole(target) as path:
        path.write_text(page, encoding="utf-8", newline="\n")
    return RunPage(split, len(worst), sum(isinstance(one, Audible) for one in heard))


def _heard(worst: Sequence[Mistake], recordings: Recordings) -> list[Audible | Silence]:
    return [listen_to(Excerpt(one.recording, one.start_s, one.end_s), recordings) for one in worst]


def _silences(heard: Sequence[Audible | Silence]) -> dict[str, int]:
    return dict(Counter(one.reason for one in heard if isinstance(one, Silence)))


def _data(heard: Sequence[Audible | Silence]) -> dict[str, Any]:
    sounds = {str(i): asdict(one) for i, one in enumerate(heard) if isinstance(one, Audible)}
    return {"sounds": sounds, "picture": {"columns": COLUMNS, "mels": MELS}}


def _confusion(found: Predictions) -> list[list[int]]:
    """Rows of counts; empty where no table would say anything."""
    counts = confusion(found) if len(found.labels) <= CONFUSED else None
    return [] if counts is None else counts.tolist()


def _provenance(head: TrainedHead, metrics: dict[str, Any]) -> dict[str, str]:
    made = {
        "Method": head.method,
        "Encoder": head.settings.checkpoint,
        "sha256": head.settings.sha256,
        "Layer": f"{head.layer}, {head.settings.pooling} of its patches",
        "Clips": f"{head.settings.clip_s:g} s every {head.settings.hop_s:g} s",
        "Temperature": f"{head.temperature:.2f}",
    }
    base = metrics.get("base")
    return made | ({"Learnt from": str(base["checkpoint"])} if base else {})
