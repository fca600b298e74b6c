"""Recordings in, a table on disk out: begun, interrupted and gone on with as often as need be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beats_trainer.atomic import room_for
from beats_trainer.audio.clips import Spans
from beats_trainer.audio.damage import LOSSES, Finding
from beats_trainer.embed.again import Again, find_changed
from beats_trainer.embed.choices import DEFAULTS
from beats_trainer.embed.progress import Callback, Progress
from beats_trainer.embed.read_ahead import Ahead, Item
from beats_trainer.recordings.reading import Clip, Ended, read_source
from beats_trainer.recordings.recording_facts import RecordingFacts
from beats_trainer.recordings.remote import RemoteCache
from beats_trainer.recordings.sources import Shard, Source
from beats_trainer.table.files import Output
from beats_trainer.table.journal import Journal
from beats_trainer.table.lock import lock_shard
from beats_trainer.table.report_csv import ReportLine, report_lines, write_report
from beats_trainer.table.rows import Row, schema_of, without_sound
from beats_trainer.table.settings import Settings
from beats_trainer.table.writer import (
    ROWS_PER_PART,
    SECONDS_PER_PART,
    Parts,
    forget_rows,
    read_journal,
    refuse_other_settings,
)

if TYPE_CHECKING:
    from beats_trainer.embed.encode import Encoding

ITEMS_AT_ONCE = 1024
AGAIN = "What is done is kept: free some room, then run the same command again, and it goes on from there."
Work = Sequence[tuple[Source, Spans | None]]
Done = tuple[Clip, list[Row]] | Ended
Engine = Callable[[Work], Iterator[list[Done]]]


@dataclass(frozen=True)
class Options:
    """How a run goes about its work; nothing here changes a number in the table."""

    shard: Shard = field(default=Shard())
    workers: int = 2
    resume: bool = True
    strict: bool = False
    redo: tuple[str, ...] = ()
    rows_per_part: int = ROWS_PER_PART
    seconds_per_part: float = SECONDS_PER_PART
    cache_dir: Path | None = None
    cache_bytes: int = DEFAULTS.cache_bytes


@dataclass(frozen=True)
class Outcome:
    """What a run has done, and what became of every recording of the table."""

    output: Output
    progress: Progress
    lines: Sequence[ReportLine]
    stopped_at: str | None = None
    replaced: Sequence[str] = ()
    left_out: str = ""

    @property
    def failed(self) -> list[ReportLine]:
        """Recordings of which something is missing."""
        return [line for line in self.lines if line.facts.failed]

    def __repr__(self) -> str:
        stopped = f", stopped at {self.stopped_at}" if self.stopped_at is not None else ""
        return (
            f"<Outcome {self.output.path}: {len(self.lines):,} recordings, {len(self.failed):,} failed; "
            f"{self.progress.clips:,} clips in {self.progress.elapsed_s:.1f} s{stopped}>"
        )


class Run:
    """One process at work on one table.

    Args:
        sources: The recordings, of this shard alone.
        encoding: Clips in, rows out.
        output: Where the table is.
        options: How to go about it.
        callback: Told of every step.
        engine: What reads and embeds; threads and `encoding` in this process without it.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        encoding: Encoding,
        output: str | Path,
        options: Options | None = None,
        callback: Callback | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.sources, self.encoding, self.options = sources, encoding, options or Options()
        self.output, self.callback = Output(Path(output)), callback
        self.engine: Engine = engine or self._here
        if self.output.single and self.options.shard.count > 1:
            message = (
                f"{output} is one file: shards write to a folder. Give a name that does not end in .parquet."
            )
            raise ValueError(message)
        self.settings: Settings = encoding.settings
        self.journal = Journal()
        self.passing: dict[str, RecordingFacts] = {}
        self.unfinite: Counter[str] = Counter()
        self.replaced: Sequence[str] = ()
        self.sizes = {source.name: _size(source) for source in sources}
        self.progress = Progress(len(sources), sum(self.sizes.values()))
        self.stopped_at: str | None = None
        cache = self.options.cache_dir or self.output.book / "cache"
        self.cache = RemoteCache(cache, self.options.cache_bytes)

    def __call__(self) -> Outcome:
        """Do what is left to do.

        Raises:
            BlockingIOError: Another process is at work on the same recordings.
            ValueError: The table was begun with other settings.
            OSError: The disk is full; call it again to go on.
        """
        with room_for(self.output.path, AGAIN), lock_shard(self.output.book / "locks", self.options.shard):
            if not self.options.resume:
                self.output.clear()
            files = self.output.files()
            refuse_other_settings(files, self.settings, self.output.path)
            self.journal = read_journal(files)
            again = self._forget_changed(files)
            self._work(again.copied)
            lines = report_lines(read_journal(self.output.files()), self.passing)
            write_report(lines, self.output.report)
            if self.stopped_at is None:
                self.output.finish(schema_of(self.settings))
        self.output.tidy()
        return Outcome(self.output, self.progress, lines, self.stopped_at, self.replaced)

    def _forget_changed(self, files: Sequence[Path]) -> Again:
        """The rows of recordings whose files are others now go before the new ones come."""
        options = self.options
        again = find_changed(self.sources, self.journal, self.settings.cutting, options.redo, options.workers)
        if again.changed:
            with self._parts():  # what a killed run has left of them goes
                forget_rows(files, again.changed, self._workspace)
            self.journal = self.journal.without(again.changed)
            self.replaced = again.changed
        return again

    def _work(self, copied: Sequence[Ended]) -> None:
        work = [(source, self._done(source)) for source in self._left()]
        with self._parts() as parts:
            for ended in copied:
                parts.end(ended)
            try:
                self._embed(work, parts)
            except KeyboardInterrupt:
                parts.flush()
                raise
            parts.flush()

    def _parts(self) -> Parts:
        return Parts(
            self.output.shard(self.options.shard),
            self._workspace,
            self.settings,
            rows_per_part=self.options.rows_per_part,
            seconds_per_part=self.options.seconds_per_part,
        )

    @property
    def _workspace(self) -> Path:
        """Of this shard, for what is not whole yet."""
        return self.output.book / "open" / self.output.shard(self.options.shard).name

    def _embed(self, work: Work, parts: Parts) -> None:
        for results in self.engine(work):
            for result in results:
                self._note(result, parts)
            self._tell()
            if parts.due():
                parts.flush()
            if self.stopped_at is not None:
                return

    def _here(self, work: Work) -> Iterator[list[Done]]:
        """Threads read, this one embeds."""
        done = {source.name: spans for source, spans in work}
        self.progress.waited_s = 0.0

        def read(source: Source) -> Iterator[Item]:
            return read_source(source, self.settings.cutting, done[source.name], self.cache)

        sources = [source for source, _ in work]
        with Ahead(sources, read, self.encoding.gathering.share, self.options.workers) as ahead:
            for items in self._batches(ahead):
                rows = iter(self.encoding([item for item in items if isinstance(item, Clip)]))
                yield [without_sound(*next(rows)) if isinstance(item, Clip) else item for item in items]
                self.progress.waited_s = ahead.waited_s

    def _done(self, source: Source) -> Spans | None:
        return self.journal[source.name].done if source.name in self.journal else None

    def _left(self) -> Iterator[Source]:
        """The recordings that are not finished."""
        for source in self.sources:
            if source.name in self.journal and self._known(source):
                continue
            yield source

    def _known(self, source: Source) -> bool:
        """Whether the table has all of a recording."""
        if not self.journal[source.name].finished:
            return False
        self.progress.recordings_done += 1
        self.progress.bytes -= self.sizes[source.name]
        return True

    def _batches(self, ahead: Ahead) -> Iterator[list[Item]]:
        """As much as is worth a call of the model, in order; less at the end, or when a part is due."""
        items: list[Item] = []
        share = 0.0
        for item in ahead:
            items.append(item)
            share += self.encoding.gathering.share(item)
            if share >= 1 or len(items) >= ITEMS_AT_ONCE or self._strict_about(item):
                yield items
                items, share = [], 0.0
        if items:
            yield items

    def _note(self, result: Done, parts: Parts) -> None:
        if isinstance(result, Ended):
            self._end(result, parts)
            return
        clip, rows = result
        if not all(np.isfinite(row.vectors).all() for row in rows):
            self.unfinite[clip.recording] += 1
            rows = []
        parts.add(clip, rows)
        self.progress.clips += bool(rows)
        self.progress.audio_s += clip.end_s - clip.start_s if rows else 0.0
        self.progress.bytes_begun = self.sizes.get(clip.recording, 0) * clip.share

    def _end(self, ended: Ended, parts: Parts) -> None:
        if count := self.unfinite.pop(ended.recording, 0):
            ended = replace(ended, facts=_without(ended.facts, count))
        if ended.facts.passing:
            self.passing[ended.recording] = ended.facts
        else:
            parts.end(ended)
        self.progress.recordings_done += 1
        self.progress.bytes_begun = 0.0
        self.progress.bytes_done += self.sizes.get(ended.recording, 0)
        if self._strict_about(ended):
            self.stopped_at = ended.recording

    def _strict_about(self, item: Item) -> bool:
        return (
            self.options.strict
            and isinstance(item, Ended)
            and any(finding.kind in LOSSES for finding in item.facts.findings)
        )

    def _tell(self) -> None:
        if self.callback is not None:
            self.callback(self.progress)


def _without(facts: RecordingFacts, count: int) -> RecordingFacts:
    """Of a recording for some clips of which the encoder gives no numbers."""
    found = Finding("nan", f"{count:,} clips give vectors that are no numbers, and are left out")
    return replace(facts, left_out=facts.left_out + count, findings=(*facts.findings, found))


def _size(source: Source) -> int:
    try:
        return 0 if source.remote else Path(source.location).stat().st_size
    except OSError:
        return 0
