"""The golden vector: what an encoder makes of a short fixed waveform, as a pin may record it.

The waveform is 0.35 s of noise at 16 kHz. The vector is the mean of its patch embeddings of the last layer,
the first 16 dimensions. A digest of them would differ from machine to machine in the last bits; so the
numbers themselves are kept, and compared within `TOLERANCE` of the largest of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from beats_trainer.sampling import SHORTEST

LENGTH = 16
TOLERANCE = {"fp32": 2e-3, "bf16": 5e-2}


def golden_noise() -> Tensor:
    """The waveform, `(samples,)`; numpy promises that this generator's stream never changes (NEP 19)."""
    return torch.from_numpy(np.random.RandomState(0).standard_normal(SHORTEST * 2).astype(np.float32) * 0.1)


def golden_of(patches: Tensor) -> tuple[float, ...]:
    """`(patches, dim)` of the last layer -> the vector."""
    return tuple(float(value) for value in patches.double().mean(dim=0)[:LENGTH])


def agrees(found: Sequence[float], record: Sequence[float], precision: str) -> bool:
    """Whether two vectors are those of one encoder, within the tolerance of the precision."""
    if len(found) != len(record):
        return False
    room = TOLERANCE[precision] * max(abs(value) for value in record)
    return all(abs(ours - theirs) <= room for ours, theirs in zip(found, record, strict=True))
