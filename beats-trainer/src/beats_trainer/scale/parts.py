"""The files of a table: each comes into being whole, with its rows and its share of the journal."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.memory import release_code, trim
from beats_trainer.recordings.reading import Clip, Ended
from beats_trainer.scale.journal import KEY, Journal, joined, loads
from beats_trainer.scale.part import Part
from beats_trainer.scale.rows import Row, as_table, schema_of, without_sound
from beats_trainer.scale.settings import Settings
from beats_trainer.table import METADATA_KEY, read_metadata

ROWS_PER_PART = 16_384  # 50 MB
ROWS_PER_GROUP = 1_024  # 3 MB: what is held in memory, whatever a part holds
SECONDS_PER_PART = 60.0  # at most so much is computed again after a kill


class Parts:
    """Collects rows and writes them as parts of a folder; what is not flushed leaves nothing behind.

    Args:
        folder: Where the parts lie.
        workspace: A folder of the same file system for what is not whole yet. Nobody else writes there: what
            a killed run has left in it goes.
        settings: How the rows are made.
    """

    def __init__(
        self,
        folder: Path,
        workspace: Path,
        settings: Settings,
        *,
        rows_per_part: int = ROWS_PER_PART,
        seconds_per_part: float = SECONDS_PER_PART,
    ) -> None:
        self.folder, self.workspace, self.settings = folder, workspace, settings
        self.rows_per_part, self.seconds_per_part = rows_per_part, seconds_per_part
        self.written: list[Path] = []
        self._part: Part | None = None
        self._rows: list[Row] = []
        self._journal = Journal()
        self._began = time.monotonic()

    def __enter__(self) -> Parts:
        for left in self.workspace.glob("*.incomplete"):
            left.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        if self._part is not None:
            self._part.discard()

    def add(self, clip: Clip, rows: Sequence[Row]) -> None:
        """Rows of one clip; none if it was left out."""
        self._rows += without_sound(clip, rows)[1]
        self._journal[clip.recording].done.add(clip.index, clip.index + 1)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._write()

    def end(self, ended: Ended) -> None:
        """A recording is complete."""
        self._journal[ended.recording].facts = ended.facts

    def due(self) -> bool:
        """Whether enough has come together for a part."""
        late = time.monotonic() - self._began > self.seconds_per_part
        rows = len(self._rows) + (self._part.rows if self._part else 0)
        return rows >= self.rows_per_part or (late and len(self._journal) > 0)

    def flush(self) -> None:
        """Make a part of what has come together."""
        if len(self._journal):
            part = self._write()
            self.written.append(part.finish({KEY: self._journal.dumps()}))
        self._part, self._journal, self._began = None, Journal(), time.monotonic()
        pa.default_memory_pool().release_unused()
        release_code("pyarrow")
        trim()

    def _write(self) -> Part:
        """Move the rows from the memory to the open part."""
        if self._part is None:
            name = f"part-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet"
            self._part = Part(self.folder / name, self.workspace, schema_of(self.settings))
        self._part.write(as_table(self._rows, self.settings))
        self._rows = []
        return self._part


def find_parts(folder: Path) -> list[Path]:
    """The parts of all shards, oldest first."""
    return sorted(folder.glob("shard=*/*.parquet"), key=lambda path: path.name)


def read_journal(parts: Iterable[Path]) -> Journal:
    """What the parts together say is done."""
    footers = (pq.read_metadata(part).metadata or {} for part in parts)
    return joined(loads(footer[KEY]) for footer in footers if KEY in footer)


def refuse_other_settings(parts: Iterable[Path], settings: Settings, out: Path) -> None:
    """Rows that were made differently do not belong into one table.

    Raises:
        ValueError: A part was written with other settings.
    """
    for part in parts:
        metadata = read_metadata(part)
        differences = (
            settings.differences(metadata) if metadata else [f"{part.name} has no {METADATA_KEY!r} metadata"]
        )
        if differences:
            message = (
                f"{out} was made with other settings, nothing was added: {'; '.join(differences)}. "
                "Use the same settings, or another output."
            )
            raise ValueError(message)
