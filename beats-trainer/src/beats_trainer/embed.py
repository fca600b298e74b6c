"""Waveforms of any lengths in, pooled layers out: each clip exactly as if it were alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from beats_trainer.batches import PATCHES_PER_FORWARD, plan
from beats_trainer.exported import ExportedEncoder
from beats_trainer.model import BEATs
from beats_trainer.pooling import pool
from beats_trainer.waveform import Short, as_batch, n_columns


@torch.inference_mode()
def embed(
    model: BEATs | ExportedEncoder,
    waveforms: Sequence[Any],
    *,
    layers: Sequence[int] | None = (-1,),
    pooling: str = "mean",
    short: Short = "error",
    limit: int = PATCHES_PER_FORWARD,
) -> list[list[Tensor]]:
    """Embed each waveform; those with as many patches go through the encoder together, and nothing is padded.

    Args:
        model: The encoder.
        waveforms: Each `(samples,)`, mono, 16 kHz.
        layers: Which layers; all without it.
        pooling: See `pool`.
        short: What to do with less than one patch of audio.
        limit: Patches that go through the encoder at once.

    Returns:
        For each layer one tensor for each waveform, in the order given.
    """
    patch, rows = model.config.input_patch_size, model.config.rows
    clips = [_single(waveform, short, patch) for waveform in waveforms]
    groups = plan([n_columns(len(clip), patch) * rows for clip in clips], limit)
    results: list[dict[int, Tensor]] = []
    for positions in groups:
        hidden = model.hidden(torch.stack([clips[i] for i in positions]), layers)
        results = results or [{} for _ in hidden]
        for kept, patches in zip(results, hidden, strict=True):
            kept.update(zip(positions, pool(patches, pooling, rows).cpu(), strict=True))
    return [[kept[i] for i in range(len(clips))] for kept in results]


def _single(waveform: Any, short: Short, patch: int) -> Tensor:
    return as_batch(waveform, short=short, patch=patch).squeeze(0)


def rows_of(batch: Any) -> Iterator[Any]:
    """The waveforms of a list, or of a `(batch, samples)` array."""
    if getattr(batch, "ndim", 2) == 1:
        yield batch
    else:
        yield from batch
