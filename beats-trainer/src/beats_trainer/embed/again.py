"""Which recordings of a table are read again: their files are others now, or somebody asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from beats_trainer.recordings.reading import Cutting, Ended, read_clips
from beats_trainer.recordings.recording_facts import FileStamp
from beats_trainer.recordings.sources import Source
from beats_trainer.table.journal import Journal, JournalEntry


@dataclass(frozen=True)
class Again:
    """Names of recordings whose rows go, and files that were only copied: what is known of them stays."""

    changed: Sequence[str]
    copied: Sequence[Ended]


def find_changed(
    sources: Sequence[Source], journal: Journal, cutting: Cutting, redo: Collection[str], workers: int
) -> Again:
    """Compares every file with the one that was embedded: size and time of writing, and then its sound.

    Raises:
        ValueError: There is no recording of a name that is to be done again.
    """
    asked = _asked(sources, redo)
    suspects = [s for s in sources if s.name in journal and s.name not in asked and _differs(s, journal)]
    with ThreadPoolExecutor(workers) as threads:
        same = threads.map(lambda source: _same_sound(source, journal[source.name], cutting), suspects)
        judged = list(zip(suspects, same, strict=True))
    changed = [source.name for source, copied in judged if copied is None]
    return Again(sorted({*asked, *changed}), [copied for _, copied in judged if copied is not None])


def _asked(sources: Sequence[Source], redo: Collection[str]) -> set[str]:
    found = {name: s.name for s in sources for name in (s.name, s.location, str(Path(s.location).absolute()))}
    unknown = [name for name in redo if name not in found]
    if unknown:
        message = (
            f"there is no recording {unknown[0]} to do again. Expected the name that it has in the table, "
            "or its path, among the recordings that are given."
        )
        raise ValueError(message)
    return {found[name] for name in redo}


def _differs(source: Source, journal: Journal) -> bool:
    entry, stamp = journal[source.name], stamp_of(source)
    if stamp is None:
        return False
    if entry.stamp is None:  # of a table that knows sizes alone
        return entry.facts is not None and entry.facts.size != stamp.size
    return entry.stamp != stamp


def stamp_of(source: Source) -> FileStamp | None:
    """Of a file on this machine; None where it cannot be had."""
    try:
        return None if source.remote else FileStamp.of(source.location)
    except OSError:
        return None


def _same_sound(source: Source, entry: JournalEntry, cutting: Cutting) -> Ended | None:
    """What is known now of a file that was only copied; None if anything about it is another."""
    facts = entry.facts
    if facts is None or facts.failed or not facts.digest or facts.size != FileStamp.of(source.location).size:
        return None
    try:
        ended = next(item for item in _read(source, cutting) if isinstance(item, Ended))
    except OSError:
        return None
    return ended if ended.facts == facts else None


def _read(source: Source, cutting: Cutting) -> Iterator[object]:
    return read_clips(source, Path(source.location), cutting)
