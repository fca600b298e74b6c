"""Waveforms of any lengths in, pooled layers out: each clip exactly as if it were alone."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from beats_trainer.encoder.model import BEATs
from beats_trainer.encoder.pooling import pool
from beats_trainer.encoder.runtimes import ExportedEncoder
from beats_trainer.encoder.waveform import Short, as_batch, n_columns
from beats_trainer.sampling import SAMPLE_RATE

_log = logging.getLogger(__name__)
LONG = 5 * 60 * 50  # patches in five minutes
LONG_CLIP = (
    "A clip of %.0f s is embedded in one piece, as was asked; the time that takes grows with its square. "
    "`beats embed` cuts recordings into clips."
)

# More do not run faster on a CPU, and their intermediate tensors leave its caches.
PATCHES_PER_FORWARD = 768

PATCHES_PER_GPU_FORWARD = 16_384  # 33 clips of 10 s: enough to fill a large GPU


@torch.inference_mode()
def embed(
    model: BEATs | ExportedEncoder,
    waveforms: Sequence[Any],
    *,
    layers: Sequence[int] | None = (-1,),
    pooling: str = "mean",
    short: Short = "error",
    limit: int | None = None,
    after_pass: Callable[[], None] | None = None,
) -> list[list[Tensor]]:
    """Embed each waveform; those with as many patches go through the encoder together, and nothing is padded.

    Args:
        model: The encoder.
        waveforms: Each `(samples,)`, mono, 16 kHz.
        layers: Which layers; all without it.
        pooling: See `pool`.
        short: What to do with less than one patch of audio.
        limit: Patches that go through the encoder at once; what the device runs fastest without it.
        after_pass: Called each time that clips have gone through the encoder.

    Returns:
        For each layer one tensor for each waveform, in the order given.
    """
    patch, rows = model.config.input_patch_size, model.config.rows
    clips = [_single(waveform, short, patch) for waveform in waveforms]
    if limit is None:
        limit = PATCHES_PER_FORWARD if model.device.type == "cpu" else PATCHES_PER_GPU_FORWARD
    counts = [n_columns(len(clip), patch) * rows for clip in clips]
    if max(counts, default=0) > LONG:
        _log.warning(LONG_CLIP, max(map(len, clips)) / SAMPLE_RATE)
    alike, results = pooling != "none", list[list[Tensor]]()
    for positions in plan_passes(counts, limit):
        hidden = model.hidden(torch.stack([clips[i] for i in positions]), layers)
        pooled = [pool(patches, pooling, rows).cpu() for patches in hidden]
        results = results or [_places(vectors, len(clips), alike=alike) for vectors in pooled]
        for places, vectors in zip(results, pooled, strict=True):
            for i, vector in zip(positions, vectors, strict=True):
                places[i] = places[i].copy_(vector) if alike else vector
        if after_pass is not None:
            after_pass()
    return results


def _places(vectors: Tensor, count: int, *, alike: bool) -> list[Tensor]:
    """Where each clip's vectors go, if all are alike.

    They are parts of one tensor: a small one of each forward pass would lie amid the heap, whose gaps then
    are too small for the next pass.
    """
    return list(vectors.new_empty(count, *vectors.shape[1:])) if alike else [vectors] * count


def _single(waveform: Any, short: Short, patch: int) -> Tensor:
    return as_batch(waveform, short=short, patch=patch).squeeze(0)


# Which clips go through the encoder together: arithmetic without a model.
def plan_passes(patches: Sequence[int], limit: int = PATCHES_PER_FORWARD) -> list[list[int]]:
    """Group clips of equal size, so that nothing is ever padded.

    Args:
        patches: Number of patches of each clip.
        limit: Patches that go through the encoder at once; a clip of more goes alone.

    Returns:
        Positions of the clips that go together, in ascending order of size.
    """
    alike: dict[int, list[int]] = defaultdict(list)
    for position, count in enumerate(patches):
        alike[count].append(position)
    return [
        positions[start : start + max(1, limit // max(1, count))]
        for count, positions in sorted(alike.items())
        for start in range(0, len(positions), max(1, limit // max(1, count)))
    ]
