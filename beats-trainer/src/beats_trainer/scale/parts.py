"""The files of a table: each comes into being whole, with its rows and its share of the journal."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.memory import trim
from beats_trainer.scale.journal import KEY, Journal, joined, loads
from beats_trainer.scale.reading import Clip, Ended
from beats_trainer.scale.rows import Row, as_table, without_sound
from beats_trainer.scale.settings import Settings
from beats_trainer.table import METADATA_KEY, read_metadata

ROWS_PER_PART = 16_384  # 50 MB
SECONDS_PER_PART = 60.0  # at most so much is computed again after a kill


class Parts:
    """Collects rows and writes them as parts of a folder.

    Args:
        folder: Where the parts lie.
        workspace: A folder of the same file system for what is not whole yet.
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
        self._rows: list[Row] = []
        self._journal = Journal()
        self._began = time.monotonic()

    def add(self, clip: Clip, rows: Sequence[Row]) -> None:
        """Rows of one clip; none if it was left out."""
        self._rows += without_sound(clip, rows)[1]
        self._journal[clip.recording].done.add(clip.index, clip.index + 1)

    def end(self, ended: Ended) -> None:
        """A recording is complete."""
        self._journal[ended.recording].facts = ended.facts

    def due(self) -> bool:
        """Whether enough has come together for a part."""
        late = time.monotonic() - self._began > self.seconds_per_part
        return len(self._rows) >= self.rows_per_part or (late and len(self._journal) > 0)

    def flush(self) -> None:
        """Write what has come together."""
        if len(self._journal):
            table = as_table(self._rows, self.settings, self._journal)
            name = f"part-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet"
            self.written.append(write_whole(table, self.folder / name, self.workspace))
        self._rows, self._journal, self._began = [], Journal(), time.monotonic()
        pa.default_memory_pool().release_unused()
        trim()


def write_whole(table: pa.Table, path: Path, workspace: Path) -> Path:
    """Under another name, onto the disk, then renamed: readers and power cuts find all of it or nothing."""
    workspace.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = workspace / f"{path.name}.{os.getpid()}.incomplete"
    with temporary.open("wb") as file:
        pq.write_table(table, file, **writer_options(table.schema))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
    return path


def writer_options(schema: pa.Schema) -> dict[str, Any]:
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
