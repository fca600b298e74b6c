"""Which recordings of a table are damaged, as its `report.csv` says."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beats_trainer.audio.findings import FAILURES, KINDS
from beats_trainer.scale.output import Output

LINES = 1_000  # on the page; the report has all


@dataclass(frozen=True)
class Damage:
    """How many recordings have each finding, and the first lines of those that have any; worst first."""

    report: Path
    there: bool
    counts: Mapping[str, int]
    lines: Sequence[Mapping[str, str]]
    damaged: int
    recordings: int

    @property
    def failed(self) -> int:
        """Recordings of which something that was asked for is not in the table."""
        return self.counts.get("failed", 0)


def read_damage(table: Path) -> Damage:
    """What the report beside a table says; nothing if there is none."""
    report = Output(table).report
    if not report.is_file():
        return Damage(report, there=False, counts={}, lines=[], damaged=0, recordings=0)
    with report.open(encoding="utf-8", errors="replace", newline="") as file:
        return _sorted_out(report, csv.DictReader(file))


def _sorted_out(report: Path, rows: Iterable[dict[str, str]]) -> Damage:
    counts: Counter[str] = Counter()
    damaged, recordings = [], 0
    for row in rows:
        kinds = row.get("status", "").split()
        counts.update(kinds)
        counts["failed"] += bool(FAILURES.intersection(kinds))
        recordings += 1
        if kinds != ["ok"]:
            damaged.append(row)
    damaged.sort(key=lambda row: (_severity(row), row.get("recording", "")))
    return Damage(report, True, counts, damaged[:LINES], len(damaged), recordings)


def _severity(row: Mapping[str, str]) -> tuple[bool, int]:
    kinds = row.get("status", "").split()
    places = [KINDS.index(kind) for kind in kinds if kind in KINDS]
    return not FAILURES.intersection(kinds), min(places, default=len(KINDS))
