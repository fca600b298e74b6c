"""The golden vector: what an encoder makes of a short fixed waveform, as a pin may record it.

The waveform is 0.35 s of noise at 16 kHz. The vector is the mean of its patch embeddings of the last layer,
the first 16 dimensions. A digest of them would differ from machine to machine in the last bits; so the
numbers themselves are kept, and compared within `TOLERANCE` of the largest of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from beats_trainer.encoder.model import BEATs
from beats_trainer.errors import CheckpointError
from beats_trainer.sampling import SHORTEST

LENGTH = 16
TOLERANCE = {"fp32": 2e-3, "bf16": 5e-2}
# Numbers in a tensor whose faults noise need not show: gates, biases, those of far distances. A fault of a
# larger one reaches every patch, so the whole file is not read only to find none.
SMALL = 10_000
ALIKE = 1e-3  # the spread over patches that no working encoder falls below; layer-normed values have 1


def golden_noise() -> Tensor:
    """The waveform, `(samples,)`; numpy promises that this generator's stream never changes (NEP 19)."""
    return torch.from_numpy(np.random.RandomState(0).standard_normal(SHORTEST * 2).astype(np.float32) * 0.1)


def golden_of(patches: Tensor) -> tuple[float, ...]:
    """`(patches, dim)` of the last layer -> the vector."""
    return tuple(float(value) for value in patches.double().mean(dim=0)[:LENGTH])


def vectors_agree(found: Sequence[float], record: Sequence[float], precision: str) -> bool:
    """Whether two vectors are those of one encoder, within the tolerance of the precision."""
    if len(found) != len(record):
        return False
    room = TOLERANCE[precision] * max(abs(value) for value in record)
    return all(abs(ours - theirs) <= room for ours, theirs in zip(found, record, strict=True))


def _differs(found: Sequence[float], record: Sequence[float]) -> str:
    return (
        f"another answer to the noise of the self-check than its pin: expected {list(record)}, "
        f"got {[round(value, 6) for value in found]}"
    )


def _is_finite(value: Tensor) -> bool:
    # The sum tells without a copy; it may overflow, and only then is each value looked at.
    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())


def _refuse(found: bool, what: str) -> None:
    if found:
        message = (
            f"This encoder does not work: it has {what}. Fetch its checkpoint again, or train it further."
        )
        raise CheckpointError(message)


def check_encoder(model: BEATs, record: Sequence[float] = ()) -> tuple[float, ...]:
    """Run the encoder on a third of a second of noise, always the same, and look at what comes out.

    Args:
        model: The encoder.
        record: What its pin says comes out; see above.

    Returns:
        What came out, in the form of `record`.

    Raises:
        CheckpointError: weights or patch embeddings are not finite, all patches are alike, or what
            comes out is not the record.
    """
    _refuse_infinite(model, SMALL)
    with torch.inference_mode():
        patches = model(golden_noise())[0].float()
    if not torch.isfinite(patches).all():
        _refuse_infinite(model)
    _refuse(not bool(torch.isfinite(patches).all()), "patch embeddings of noise that are not finite")
    _refuse(float(patches.std(dim=0).mean()) < ALIKE, "the same embedding for every patch of noise")
    _refuse(bool(patches.std(dim=1).max() < ALIKE), "patch embeddings of noise that are constant")
    found = golden_of(patches)
    _refuse(bool(record) and not vectors_agree(found, record, model.precision), _differs(found, record))
    return found


def _refuse_infinite(model: BEATs, most: float = math.inf) -> None:
    """Name weights that are not finite, among those with at most so many numbers."""
    broken = [n for n, value in model.named_parameters() if value.numel() <= most and not _is_finite(value)]
    _refuse(bool(broken), f"weights that are not finite: {', '.join(broken[:5])}")
