"""The files of a table: each comes into being whole, with its rows and its share of the journal."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beats_trainer.memory import release_code, trim
from beats_trainer.recordings.reading import Clip, Ended
from beats_trainer.table.journal import JOURNAL_KEY, Journal, join_journals, parse_journal
from beats_trainer.table.rows import Row, as_table, schema_of, without_sound
from beats_trainer.table.settings import Settings
from beats_trainer.table.table import METADATA_KEY, read_metadata

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
        entry = self._journal[clip.recording]
        entry.done.add(clip.index, clip.index + 1)
        entry.stamp = clip.stamp
        if len(self._rows) >= ROWS_PER_GROUP:
            self._write()

    def end(self, ended: Ended) -> None:
        """A recording is complete."""
        entry = self._journal[ended.recording]
        entry.facts, entry.stamp = ended.facts, ended.stamp

    def due(self) -> bool:
        """Whether enough has come together for a part."""
        late = time.monotonic() - self._began > self.seconds_per_part
        rows = len(self._rows) + (self._part.rows if self._part else 0)
        return rows >= self.rows_per_part or (late and len(self._journal) > 0)

    def flush(self) -> None:
        """Make a part of what has come together."""
        if len(self._journal):
            part = self._write()
            self.written.append(part.finish({JOURNAL_KEY: self._journal.as_json()}))
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
    return join_journals(parse_journal(footer[JOURNAL_KEY]) for footer in footers if JOURNAL_KEY in footer)


def forget_rows(files: Iterable[Path], recordings: Collection[str], workspace: Path) -> None:
    """Take recordings out of the files that hold them; each file is rewritten whole, or stays as it is.

    Cut off in the middle, it leaves files that still name a recording: their stamp is that of the file that
    was embedded before, so that the next run sees it and goes on here.
    """
    for file in files:
        footer = pq.read_metadata(file).metadata or {}
        journal = parse_journal(footer.get(JOURNAL_KEY, b"[]"))
        if any(name in journal for name in recordings):
            _rewrite_without(file, recordings, workspace, journal.without(recordings))


def _rewrite_without(file: Path, recordings: Collection[str], workspace: Path, journal: Journal) -> None:
    gone = pa.array(list(recordings), pa.string())
    with pq.ParquetFile(file) as old:
        schema, footer = old.schema_arrow, old.metadata.metadata or {}
        whole = Part(file, workspace, schema)
        try:
            for i in range(old.num_row_groups):
                rows = old.read_row_group(i)
                whole.write(rows.filter(pc.invert(pc.is_in(rows.column("recording"), value_set=gone))))
            notes = {key: footer[key] for key in footer if key.startswith(b"beats.")}
            whole.finish(notes | {JOURNAL_KEY: journal.as_json()})
        except BaseException:
            whole.discard()
            raise
    if not whole.rows and not len(journal):
        file.unlink()


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


# One file of a table while it is written: row group by row group, under its name only when it is whole.
class Part:
    """A Parquet file that readers and power cuts find whole or not at all.

    Args:
        path: Where it will be.
        workspace: A folder of the same file system, for as long as it is not whole.
        schema: Its columns.
    """

    def __init__(self, path: Path, workspace: Path, schema: pa.Schema) -> None:
        workspace.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.rows = path, 0
        self._temporary = workspace / f"{path.name}.incomplete"
        self._file = self._temporary.open("wb")
        self._writer = pq.ParquetWriter(self._file, schema, **_options(schema))

    def write(self, table: pa.Table) -> None:
        """A row group more; nothing of it stays in memory."""
        self._writer.write_table(table)
        self.rows += len(table)

    def finish(self, notes: Mapping[bytes, bytes]) -> Path:
        """Put the notes into the footer, the file onto the disk, and then its name on it."""
        self._writer.add_key_value_metadata(dict(notes))
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self.path)
        sync_folder(self.path.parent)
        return self.path

    def discard(self) -> None:
        """Leave nothing behind."""
        self._writer.close()
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def _options(schema: pa.Schema) -> dict[str, Any]:
    """Embeddings hardly compress, and plain ones are read at the speed of the disk."""
    plain = [f.name for f in schema if not pa.types.is_fixed_size_list(f.type)]
    lists = [f"{f.name}.list.element" for f in schema if pa.types.is_fixed_size_list(f.type)]
    return {
        "use_dictionary": plain,
        "compression": dict.fromkeys(plain, "zstd") | dict.fromkeys(lists, "none"),
        "write_statistics": plain,
    }


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
