"""What became of every recording: a table for people, `report.csv`, and counts."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from beats_trainer.audio.damage import FAILURES, KINDS, Finding
from beats_trainer.foreign.names import escaped, safe_cell
from beats_trainer.recordings.recording_facts import RecordingFacts
from beats_trainer.table.files import Output
from beats_trainer.table.journal import Journal

COLUMNS = (
    "recording", "status", "embedded", "clips", "left_out", "duration_s", "sample_rate", "channels", "format",
    "bytes", "digest", "detail",
)  # fmt: skip

LINES = 1_000  # on the page; the report has all


@dataclass(frozen=True)
class ReportLine:
    """One recording of the report."""

    recording: str
    facts: RecordingFacts

    @property
    def status(self) -> str:
        """`ok`, or the kinds of all findings."""
        return " ".join(sorted({f.kind for f in self.facts.findings}, key=KINDS.index)) or "ok"

    @property
    def embedded(self) -> str:
        """Whether its clips are in the table: `yes`, `partly` or `no`."""
        kept = self.facts.clips - self.facts.left_out
        return "no" if kept <= 0 else "partly" if self.facts.failed or self.facts.left_out else "yes"

    def cells(self) -> dict[str, object]:
        """By column."""
        facts = self.facts
        values = (
            safe_cell(self.recording), self.status, self.embedded, facts.clips, facts.left_out,
            round(facts.duration_s, 3), facts.sample_rate, facts.channels, facts.format,
            facts.size, facts.digest,
            safe_cell(escaped("; ".join(str(finding) for finding in facts.findings))),
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


def report_lines(journal: Journal, passing: dict[str, RecordingFacts]) -> list[ReportLine]:
    """All recordings that have been read to their end, with the twins among them named; sorted by name."""
    known = {
        name: entry.facts for name, entry in journal if entry.facts is not None and entry.finished
    } | passing
    first: dict[str, str] = {}
    lines = []
    for name, facts in sorted(known.items()):
        twin = first.setdefault(facts.digest, name) if facts.digest else name
        found = () if twin == name else (Finding("duplicate", f"sounds exactly as {twin}"),)
        lines.append(ReportLine(name, replace(facts, findings=(*facts.findings, *found))))
    return lines


def count_statuses(lines: Iterable[ReportLine]) -> dict[str, int]:
    """How many recordings have each kind of finding; those without any are `ok`."""
    found = Counter(kind for line in lines for kind in line.status.split())
    return {kind: found[kind] for kind in ("ok", *KINDS) if found[kind]}


def write_report(lines: Iterable[ReportLine], path: Path) -> None:
    """One line a recording, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".incomplete")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(line.cells() for line in lines)
    temporary.replace(path)


# Which recordings of a table are damaged, as its `report.csv` says.
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
