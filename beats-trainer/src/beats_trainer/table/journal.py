"""What is done: of each recording which clips, and what is known of it.

It travels in the footers of the parts, so that rows and the note that they are there become visible in one
and the same moment.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from beats_trainer.audio.clips import Spans
from beats_trainer.recordings.recording_facts import FileStamp, RecordingFacts, read_facts

JOURNAL_KEY = b"beats.journal"


@dataclass
class JournalEntry:
    """One recording: the clips that are done, of which file, and the facts once it is read to its end."""

    done: Spans = field(default_factory=Spans)
    facts: RecordingFacts | None = None
    stamp: FileStamp | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.facts is not None and len(self.done) >= self.facts.clips


class Journal:
    """The entries of all recordings."""

    def __init__(self) -> None:
        self.entries: dict[str, JournalEntry] = {}

    def __getitem__(self, recording: str) -> JournalEntry:
        return self.entries.setdefault(recording, JournalEntry())

    def __contains__(self, recording: str) -> bool:
        return recording in self.entries

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[tuple[str, JournalEntry]]:
        return iter(sorted(self.entries.items()))

    def add(self, other: Journal) -> None:
        """Take in what another knows."""
        for recording, entry in other:
            ours = self[recording]
            for start, stop in entry.done.ranges:
                ours.done.add(start, stop)
            ours.facts = entry.facts or ours.facts
            ours.stamp = entry.stamp or ours.stamp

    def without(self, recordings: Collection[str]) -> Journal:
        """All but these."""
        kept = Journal()
        kept.entries = {name: entry for name, entry in self.entries.items() if name not in recordings}
        return kept

    def as_json(self) -> bytes:
        """As it is kept in a footer."""
        written = [[name, *_entry_as_list(entry)] for name, entry in self]
        return json.dumps(written, separators=(",", ":")).encode()


def _entry_as_list(entry: JournalEntry) -> list[Any]:
    stamp = entry.stamp and [entry.stamp.size, entry.stamp.mtime_ns]
    return [entry.done.ranges, entry.facts.as_dict() if entry.facts else None, stamp]


def parse_journal(text: bytes) -> Journal:
    """The inverse of `as_json`."""
    journal = Journal()
    for name, ranges, facts, *stamp in json.loads(text):
        journal.entries[name] = JournalEntry(
            Spans(tuple(r) for r in ranges),
            read_facts(facts) if facts else None,
            FileStamp(*stamp[0]) if stamp and stamp[0] else None,
        )
    return journal


def join_journals(journals: Iterable[Journal]) -> Journal:
    """All of them as one."""
    whole = Journal()
    for journal in journals:
        whole.add(journal)
    return whole
