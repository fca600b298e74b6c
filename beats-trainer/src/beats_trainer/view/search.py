"""The clips of a table that sound most like a recording: exact, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from beats_trainer.table import read, table_files

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Match:
    """A clip of the table and its cosine to the query."""

    cosine: float
    recording: str
    start_s: float
    end_s: float


def search(out: str | Path, query: Vectors, top: int = 10, *, column: str = "embedding") -> list[Match]:
    """The clips nearest to a query, best first.

    Args:
        out: The table.
        query: `(dim,)`, of the same checkpoint, layer and pooling.
        top: How many.
        column: Which embeddings, if it holds several layers.
    """
    direction = query / max(float(np.linalg.norm(query)), 1e-12)
    best: list[Match] = []
    for file in table_files(out):
        if pq.read_metadata(file).num_rows:
            best = sorted([*best, *_of_part(file, direction, top, column)], reverse=True)[:top]
    return best


def _of_part(file: Path, direction: Vectors, top: int, column: str) -> list[Match]:
    part = read(file, column=column)
    vectors = part.embeddings.astype(np.float32, copy=False)
    lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    cosine = vectors @ direction / lengths
    order = np.argsort(-cosine)[:top]
    names, starts, ends = part.columns["recording"], part.start_s, part.end_s
    return [Match(float(cosine[i]), names[int(i)].as_py(), float(starts[i]), float(ends[i])) for i in order]
