"""Patches in, one embedding out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from torch import Tensor

Pooling = Literal["mean", "max", "first", "last", "cls", "none", "time"]

_POOLINGS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda patches, _: patches.mean(dim=1),
    "max": lambda patches, _: patches.amax(dim=1),
    "first": lambda patches, _: patches[:, 0],
    "cls": lambda patches, _: patches[:, 0],
    "last": lambda patches, _: patches[:, -1],
    "none": lambda patches, _: patches,
    "time": lambda patches, rows: by_time(patches, rows).mean(dim=1),
}


def pool(patches: Tensor, pooling: str, rows: int = 8) -> Tensor:
    """One embedding a clip.

    Args:
        patches: `(batch, patches, dim)`, without padding.
        pooling: `mean` and `max` over all patches; `first` (also `cls`, though there is no class token: it
            is the first patch, of the lowest frequencies) and `last`; `none`; `time`, the mean over time.
        rows: Patches in one column of time.

    Returns:
        `(batch, dim)`; `(batch, patches, dim)` for `none`; `(batch, rows, dim)` for `time`.
    """
    return _POOLINGS[known_pooling(pooling)](patches, rows)


def known_pooling(pooling: str) -> str:
    """The name of a pooling in lower case, or an error that lists them."""
    name = str(pooling).lower()
    if name not in _POOLINGS:
        message = f"There is no pooling {pooling!r}; there are {', '.join(get_args(Pooling))}."
        raise ValueError(message)
    return name


def by_time(patches: Tensor, rows: int = 8) -> Tensor:
    """`(batch, patches, dim)` -> `(batch, columns, rows, dim)`: what the encoder saw when, and how high."""
    return patches.reshape(patches.shape[0], -1, rows, patches.shape[2])
