"""Where a table and what belongs to it lie: one file, or a folder of parts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.recordings.sources import Shard
from beats_trainer.table.journal import JOURNAL_KEY
from beats_trainer.table.writer import Part, find_parts, read_journal

MERGED = b"beats.merged"  # the names of the parts that a file was put together from


@dataclass(frozen=True)
class Output:
    """A table: one file if its name ends in `.parquet`, else a folder whose parts are the table.

    One file grows as parts in a hidden folder beside it, which goes when they are put together. In both
    folders `_beats` holds locks, what is not whole yet, and the report.
    """

    path: Path

    @property
    def single(self) -> bool:
        """Whether it is one file."""
        return self.path.suffix.lower() == ".parquet"

    @property
    def folder(self) -> Path:
        """Where the parts lie."""
        return self.path.with_name(f".{self.path.name}.parts") if self.single else self.path

    @property
    def book(self) -> Path:
        """Locks, what is not whole yet, the report."""
        return self.folder / "_beats"

    @property
    def report(self) -> Path:
        """What became of every recording."""
        return self.path.with_suffix(".report.csv") if self.single else self.book / "report.csv"

    def shard(self, shard: Shard) -> Path:
        """Where a shard writes its parts."""
        return self.folder / f"shard={shard.index}"

    def files(self) -> list[Path]:
        """All files that hold rows; a part that has been put into the single file does not count twice."""
        if not (self.single and self.path.is_file()):
            return find_parts(self.folder)
        merged = (pq.read_metadata(self.path).metadata or {}).get(MERGED, b"").decode().split()
        return [self.path, *(part for part in find_parts(self.folder) if part.name not in merged)]

    def clear(self) -> None:
        """Forget the rows that are there, to begin again."""
        for part in find_parts(self.folder):
            part.unlink()
        if self.single:
            self.path.unlink(missing_ok=True)

    def finish(self, schema: pa.Schema) -> None:
        """Put the parts of a single file together."""
        if not self.single:
            return
        parts = self.files()
        if parts != [self.path]:
            self._merge(parts, schema)
        for part in find_parts(self.folder):
            part.unlink()

    def tidy(self) -> None:
        """Remove the folder of a single file once it holds no part."""
        if self.single and self.path.is_file() and not find_parts(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _merge(self, parts: list[Path], schema: pa.Schema) -> None:
        names = " ".join(part.name for part in find_parts(self.folder)).encode()
        whole = Part(self.path, self.book, schema)
        try:
            for table in _row_groups(parts):
                whole.write(table.replace_schema_metadata(schema.metadata).cast(schema))
            whole.finish({JOURNAL_KEY: read_journal(parts).as_json(), MERGED: names})
        except BaseException:
            whole.discard()
            raise


def _row_groups(parts: list[Path]) -> Iterator[pa.Table]:
    """One at a time, so that memory does not grow with the table."""
    for part in parts:
        with pq.ParquetFile(part) as file:
            for i in range(file.num_row_groups):
                yield file.read_row_group(i)
