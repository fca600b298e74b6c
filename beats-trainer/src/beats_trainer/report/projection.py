"""Embeddings in two dimensions, for the eye: UMAP where it is installed, principal components otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np
import numpy.typing as npt

from beats_trainer.extras import needs
from beats_trainer.search.exact import unit_rows
from beats_trainer.table.scan import Group, Positions, Vectors, count_rows

Method = Literal["auto", "umap", "pca"]
NEIGHBOURS = 15  # UMAP's own default
FEWEST = 2 * NEIGHBOURS  # with less, UMAP has nothing to go by
Points = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """Maps `(rows, dim)` to `points`, `(rows, 2)`, in the way of its `name`.

    `fitted` are the points of the rows that it was fitted to.
    """

    name: str
    points: Callable[[Vectors], Points]
    fitted: Points


def fit_projection(vectors: Vectors, method: Method = "auto") -> Projection:
    """A projection that shows these rows well.

    Args:
        vectors: `(rows, dim)`.
        method: "auto" takes UMAP (extra `umap`) if it is installed and there are rows enough.

    Raises:
        MissingExtraError: UMAP was asked for, and is not installed.
    """
    if method == "umap" or (method == "auto" and find_spec("umap") is not None):
        return _umap(unit_rows(vectors)) if len(vectors) >= FEWEST else _principal(unit_rows(vectors))
    return _principal(unit_rows(vectors))


def sample_rows(groups: Sequence[Group], count: int, seed: int = 0) -> Positions:
    """The numbers of `count` rows by chance, ascending; of all rows if there are no more."""
    rows = count_rows(groups)
    if rows <= count:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, count, replace=False, shuffle=False))


def _principal(vectors: Vectors) -> Projection:
    dim = vectors.shape[1]
    mean = vectors.mean(axis=0) if len(vectors) else np.zeros(dim, np.float32)
    centred = (vectors - mean).astype(np.float64)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, -1:-3:-1]
    # The sign of an axis is arbitrary: the largest entry is made positive, so that every run gives one map.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])

    def points(rows: Vectors) -> Points:
        moved: Points = ((unit_rows(rows) - mean) @ axes).astype(np.float32)
        return moved

    return Projection("principal components", points, points(vectors))


def _umap(vectors: Vectors) -> Projection:
    # It says that TensorFlow is missing, and that a seed costs it its threads: one map for all runs is worth
    # that.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        umap = needs("umap", "umap", "umap-learn is not installed", ", or take pca")
        reducer = umap.UMAP(n_neighbors=NEIGHBOURS, metric="cosine", random_state=0)
        fitted = reducer.fit_transform(vectors).astype(np.float32)

    def points(rows: Vectors) -> Points:
        moved: Points = reducer.transform(unit_rows(rows)).astype(np.float32)
        return moved

    return Projection("UMAP", points, fitted)
