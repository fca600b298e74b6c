"""`beats summary`: how often each label is heard, where and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from beats_trainer.cli.output import plainly, put_table, say

if TYPE_CHECKING:
    from beats_trainer.train.counts import Count

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MEASURED = ("test", "val")  # where a run's precision is no flattery


@click.command()
@click.argument("scores", type=FILE)
@click.option("-o", "--output", required=True, type=PATH, help="A CSV: a line for each label in each group.")
@click.option("--by", default="site,day", show_default=True, help="Of site, day, hour; '' for one group.")
@click.option(
    "--threshold", default="best", show_default=True,
    help="From which score a label is heard: best, as it was fitted, or a number.",
)  # fmt: skip
@click.option("--run", type=PATH, help="The folder of `beats train`: states precision and recall.")
@plainly
def summary(scores: Path, output: Path, *, by: str, threshold: str, run: Path | None) -> None:
    """Count what is heard in SCORES, which `beats classify --model RUN -o scores.parquet` wrote.

    Clips that touch are one event. Groups in which nothing is heard have a line too, and each line says how
    many hours were listened to. Hours and days are those of the recorder's clock.
    """
    from beats_trainer.train.counts import ScoresFile, count_events, parse_by, write_counts
    from beats_trainer.train.score import choose_thresholds

    groups, found = parse_by(by), ScoresFile.read(scores)
    limits = choose_thresholds(found.thresholds, len(found.labels), threshold)
    quality = _quality(run) if run else {}
    counts = count_events(found, limits, groups)
    write_counts(counts, groups, output, quality if threshold == "best" else {})
    put_table(("label", "events", "groups with any", "hours listened"), _totals(counts, found.labels))
    say(f"{output}: {len(counts):,} lines")


def _quality(run: Path) -> dict[str, tuple[float, float]]:
    """Of each label at its fitted threshold, on what the run kept for testing."""
    from beats_trainer.train.run import METRICS

    metrics = json.loads((run / METRICS).read_text(encoding="utf-8"))
    split = next((name for name in MEASURED if name in metrics), None)
    labels = metrics[split]["labels"] if split else {}
    pairs = {name: (values["precision"], values["recall"]) for name, values in labels.items()}
    return {name: pair for name, pair in pairs.items() if None not in pair}


def _totals(counts: Sequence[Count], labels: Sequence[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for label in labels:
        mine = [one for one in counts if one.label == label]
        heard, hours = sum(one.events > 0 for one in mine), sum(one.effort.seconds for one in mine) / 3600
        events = sum(one.events for one in mine)
        rows.append((label, f"{events:,}", f"{heard:,} of {len(mine):,}", f"{hours:.2f}"))
    return rows
