"""A table as a database of perch-hoplite, written by its own code so that its reader finds what it expects.

A clip becomes a window, its device a deployment. perch-hoplite holds all vectors of a database in memory
while they are written, as float16, and compares them by their inner product.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from beats_trainer.extras import needs
from beats_trainer.table.scan import groups_of, present, stream_finite
from beats_trainer.table.table import read_metadata, table_files

PROJECT = "beats"
LIBRARY = "perch_hoplite.db.db_loader"
WHY = "perch-hoplite is not there, and only it can write its database"
COLUMNS = ("recording", "start_s", "end_s", "channel", "datetime", "device", "latitude", "longitude", "site")


def to_hoplite(table: Path, target: Path, column: str) -> None:
    """A folder with `hoplite.sqlite` and `usearch.index`.

    Raises:
        MissingExtraError: perch-hoplite is not installed.
    """
    database = _Writer(needs(LIBRARY, "hoplite", WHY, ", or pip install perch-hoplite"), target)
    facts = present(table, COLUMNS)
    for batch, vectors in stream_finite(groups_of(table), facts, column):
        database.add(batch.to_pylist(), vectors)
    database.close(read_metadata(table_files(table)[0]))


class _Writer:
    def __init__(self, library: Any, target: Path) -> None:
        self.library, self.target = library, target
        self.database: Any = None
        self.deployments: dict[tuple[Any, ...], int] = {}
        self.recordings: dict[tuple[str, int | None], int] = {}

    def add(self, rows: Sequence[dict[str, Any]], vectors: Any) -> None:
        """Rows with their embeddings `(rows, dim)`."""
        if self.database is None:
            self.database = self.library.create_new_usearch_db(str(self.target), vectors.shape[1])
            if any(row.get("channel") is not None for row in rows):
                self.database.add_extra_table_column("windows", "channel", int)
        self.database.insert_windows_batch([*map(self._window, rows)], vectors, handle_duplicates="allow")

    def close(self, metadata: dict[str, Any]) -> None:
        """All onto the disk, with what made the rows."""
        if self.database is None:
            dim = int(metadata.get("dim", 768))
            self.database = self.library.create_new_usearch_db(str(self.target), dim)
        config = import_module("ml_collections").config_dict.ConfigDict(metadata)
        self.database.insert_metadata("beats", config)
        self.database.commit()
        self.database.db.close()

    def _window(self, row: dict[str, Any]) -> dict[str, Any]:
        channel = {} if row.get("channel") is None else {"channel": row["channel"]}
        offsets = [row["start_s"], row["end_s"]]
        return {"recording_id": self._recording(row), "offsets": offsets, **channel}

    def _recording(self, row: dict[str, Any]) -> int:
        """Its number; the moment is that of the recording's start."""
        key = (row["recording"], self._deployment(row))
        if key not in self.recordings:
            moment = row.get("datetime") and row["datetime"] - timedelta(seconds=row["start_s"])
            number = self.database.insert_recording(key[0], datetime=moment, deployment_id=key[1])
            self.recordings[key] = number
        return self.recordings[key]

    def _deployment(self, row: dict[str, Any]) -> int | None:
        """A recorder at a place: perch-hoplite tells deployments apart by their name alone."""
        known = row.get("device") or row.get("latitude") is not None
        device = row.get("device") or row.get("site") or PROJECT
        if not known:
            return None
        key = (device, row.get("latitude"), row.get("longitude"))
        if key not in self.deployments:
            moved = any(known == device for known, *_ in self.deployments)
            name = f"{device} ({key[1]}, {key[2]})" if moved else device
            self.deployments[key] = self.database.insert_deployment(
                name, project=PROJECT, latitude=key[1], longitude=key[2]
            )
        return self.deployments[key]
