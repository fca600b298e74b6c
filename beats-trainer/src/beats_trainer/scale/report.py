"""What became of every recording: a table for people, `report.csv`, and counts."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from beats_trainer.audio.findings import KINDS, Finding
from beats_trainer.recordings.facts import Facts
from beats_trainer.scale.journal import Journal

COLUMNS = (
    "recording", "status", "embedded", "clips", "left_out", "duration_s", "sample_rate", "channels", "format",
    "bytes", "digest", "detail",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One recording of the report."""

    recording: str
    facts: Facts

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
            self.recording, self.status, self.embedded, facts.clips, facts.left_out,
            round(facts.duration_s, 3), facts.sample_rate, facts.channels, facts.format,
            facts.size, facts.digest,
            "; ".join(str(finding) for finding in facts.findings),
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


def lines_of(journal: Journal, passing: dict[str, Facts]) -> list[Line]:
    """All recordings that have been read to their end, with the twins among them named; sorted by name."""
    known = {
        name: entry.facts for name, entry in journal if entry.facts is not None and entry.finished
    } | passing
    first: dict[str, str] = {}
    lines = []
    for name, facts in sorted(known.items()):
        twin = first.setdefault(facts.digest, name) if facts.digest else name
        found = () if twin == name else (Finding("duplicate", f"sounds exactly as {twin}"),)
        lines.append(Line(name, replace(facts, findings=(*facts.findings, *found))))
    return lines


def counts(lines: Iterable[Line]) -> dict[str, int]:
    """How many recordings have each kind of finding; those without any are `ok`."""
    found = Counter(kind for line in lines for kind in line.status.split())
    return {kind: found[kind] for kind in ("ok", *KINDS) if found[kind]}


def write_report(lines: Iterable[Line], path: Path) -> None:
    """One line a recording, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".incomplete")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(line.cells() for line in lines)
    temporary.replace(path)
