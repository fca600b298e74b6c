"""One file of a table while it is written: row group by row group, under its name only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


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
