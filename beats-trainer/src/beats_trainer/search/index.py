"""An approximate index of a table: usearch graphs over the rows, each built once and mapped when it is asked.

A *volume* covers whole row groups, about half a million rows, and is never changed: rows that are added to
the table get a volume of their own, and if a file that was covered is gone or another, all begins again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from filelock import FileLock

from beats_trainer.atomic import written_whole
from beats_trainer.extras import needs
from beats_trainer.search.exact import NOTHING, Hits, better_hits, cosines
from beats_trainer.table.scan import Group, Vectors, finite_rows, stream_vectors

ROWS_PER_VOLUME = 500_000  # 0.9 GB in memory while it is built, with 768 numbers a row
# usearch's own defaults for the graph; a search looks further than its 64, for recall: benchmarks/search.py.
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 128, 256
CANDIDATES = 4  # times as many are taken from a graph as are asked for, and compared
MANIFEST = "volumes.json"


@dataclass(frozen=True)
class Covered:
    """A row group as an index knows it."""

    file: str
    footer: str
    index: int
    rows: int


@dataclass(frozen=True)
class Volume:
    """One graph, and the row groups that it covers in the order of its keys."""

    name: str
    groups: tuple[Covered, ...]


class Index:
    """The volumes of a table.

    Args:
        folder: Where they lie.
        volumes: What there is.
        files: The files of the table by their name.
    """

    def __init__(self, folder: Path, volumes: Sequence[Volume], files: dict[str, Path]) -> None:
        self.folder, self.volumes = folder, volumes
        self.groups = [Group(files[g.file], g.index, g.rows) for v in volumes for g in v.groups]

    def nearest(self, queries: Vectors, top: int) -> Hits:
        """About the `top` rows that are nearest to any query `(clips, dim)`; positions are in `groups`."""
        hits, offset = NOTHING, 0
        for volume in self.volumes:
            found = self._of_volume(self.folder / volume.name, queries, CANDIDATES * top)
            hits = better_hits(hits, Hits(found.cosines, found.positions + offset, found.clips), top)
            offset += sum(group.rows for group in volume.groups)
        return hits

    def _of_volume(self, path: Path, queries: Vectors, count: int) -> Hits:
        """Candidates from the graph, compared with the vectors that it keeps; in the order of the table."""
        graph = need_usearch().Index.restore(path, view=True)
        graph.expansion_search = max(EXPANSION_SEARCH, count)
        keys = np.unique(np.concatenate([graph.search(query, count).keys for query in queries]))
        keys = keys.astype(np.int64)
        found = cosines(queries, np.stack(graph.get(keys)).astype(np.float32))
        return Hits(found.max(axis=1), keys, found.argmax(axis=1))


def open_index(
    folder: Path, files: Sequence[Path], column: str, rows_per_volume: int = ROWS_PER_VOLUME
) -> Index:
    """The index of a table, built as far as it is not there.

    Args:
        folder: Where it is kept; made if need be. One folder for each column of embeddings lies in it.
        files: The files of the table.
        column: Which embeddings.
        rows_per_volume: How many rows are in memory at once while building.

    Raises:
        MissingExtraError: usearch is not installed.
        OSError: The folder cannot be made.
    """
    need_usearch()
    folder = folder / column
    _make(folder)
    names = _names(files)
    with FileLock(folder / "lock"):
        wanted = [group for name, file in names.items() for group in _covered(name, file)]
        volumes = _usable(folder, wanted)
        known = {group for volume in volumes for group in volume.groups}
        missing = [group for group in wanted if group not in known and group.rows]
        for groups in _portions(missing, rows_per_volume):
            volumes.append(_build(folder, groups, names, column))
            _write_manifest(folder, volumes)
    return Index(folder, volumes, names)


def need_usearch() -> ModuleType:
    """The package `usearch.index`, of the extra `search`.

    Raises:
        MissingExtraError: It is not installed.
    """
    why = "an index was asked for, and usearch is not installed"
    return needs("usearch.index", "search", why, "; or compare every row with --method exact")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = (
            f"no index can be kept in {folder} ({error}). Name a folder that can be written with --index."
        )
        raise OSError(message) from error


def _names(files: Iterable[Path]) -> dict[str, Path]:
    """What files are called inside the table: a table that was moved keeps its index."""
    return {"/".join([*_shard(file), file.name]): file for file in files}


def _shard(file: Path) -> list[str]:
    return [file.parent.name] if file.parent.name.startswith("shard=") else []


def _covered(name: str, file: Path) -> list[Covered]:
    metadata = pq.read_metadata(file)
    footer = _footer_digest(file)
    groups = range(metadata.num_row_groups)
    return [Covered(name, footer, i, metadata.row_group(i).num_rows) for i in groups]


def _footer_digest(file: Path) -> str:
    """A footer names the recordings, their digests and the settings: another table has another."""
    with file.open("rb") as opened:
        opened.seek(-8, os.SEEK_END)
        length = int.from_bytes(opened.read(4), "little")
        opened.seek(-8 - length, os.SEEK_END)
        return hashlib.blake2b(opened.read(length), digest_size=16).hexdigest()


def _usable(folder: Path, wanted: Sequence[Covered]) -> list[Volume]:
    """The volumes that are there, if all of them fit the table; otherwise none, and they are removed."""
    there = set(wanted)
    volumes = _read_manifest(folder)
    if all((folder / v.name).is_file() and there.issuperset(v.groups) for v in volumes):
        return volumes
    for path in folder.glob("*.usearch"):
        path.unlink()
    return []


def _portions(groups: Sequence[Covered], rows: int) -> Iterator[list[Covered]]:
    portion: list[Covered] = []
    for group in groups:
        if portion and sum(g.rows for g in portion) + group.rows > rows:
            yield portion
            portion = []
        portion.append(group)
    if portion:
        yield portion


def _build(folder: Path, covered: Sequence[Covered], files: dict[str, Path], column: str) -> Volume:
    groups = [Group(files[group.file], group.index, group.rows) for group in covered]
    graph: Any = None
    for position, vectors in stream_vectors(groups, column):
        if graph is None:
            graph = _graph(vectors.shape[1])
        finite = finite_rows(vectors)
        graph.add(np.arange(position, position + len(vectors))[finite], vectors[finite])
    name = f"{hashlib.blake2b(repr(covered).encode(), digest_size=8).hexdigest()}.usearch"
    with written_whole(folder / name) as path:
        graph.save(path)
    return Volume(name, tuple(covered))


def _graph(dim: int) -> Any:
    return need_usearch().Index(
        ndim=dim,
        metric="cos",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


def _read_manifest(folder: Path) -> list[Volume]:
    try:
        written = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return [Volume(v["name"], tuple(Covered(**g) for g in v["groups"])) for v in written]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []  # not there, or of another version: it is built again


def _write_manifest(folder: Path, volumes: Sequence[Volume]) -> None:
    with written_whole(folder / MANIFEST) as path:
        path.write_text(json.dumps([asdict(volume) for volume in volumes]), encoding="utf-8")
