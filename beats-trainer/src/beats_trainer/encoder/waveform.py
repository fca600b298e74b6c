"""Anything that may be a waveform in, `(batch, samples)` float32 out, or an error that says why not."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from beats_trainer.errors import WaveformError
from beats_trainer.sampling import INT16_SCALE, PATCH, SAMPLE_RATE, SHORTEST, n_frames, n_samples

Short = Literal["error", "pad"]


def as_batch(waveform: Any, *, short: Short = "error", patch: int = PATCH) -> Tensor:
    """A checked batch of waveforms, cut to the samples that end up in patches.

    Args:
        waveform: `(samples,)` or `(batch, samples)`, mono, 16 kHz; a NumPy array, a tensor or a sequence,
            floating in [-1, 1], or int16.
        short: What to do with less than one patch: refuse, or append silence.
        patch: Frames in a patch.

    Returns:
        `(batch, samples)`, float32.
    """
    batch = as_float(waveform)
    batch = batch.unsqueeze(0) if batch.ndim == 1 else batch
    _refuse_bad(batch)
    return _cut(_long_enough(batch, short, n_samples(patch)), patch)


def n_columns(samples: int, patch: int = PATCH) -> int:
    """Columns of patches in a waveform; trailing frames that do not fill one are dropped."""
    return n_frames(samples) // patch


def _tensor(waveform: Any) -> Tensor:
    if isinstance(waveform, Tensor):
        return waveform
    try:
        return torch.from_numpy(np.require(np.asarray(waveform), requirements=["C", "W"]))
    except (TypeError, ValueError) as error:
        message = (
            f"Not a waveform: {type(waveform).__name__}; expected numbers of shape (samples,) or "
            "(batch, samples). Pass waveforms of different lengths as a list to extract_from_batch."
        )
        raise WaveformError(message) from error


def as_float(waveform: Any) -> Tensor:
    """Samples as float32 in [-1, 1]: int16 is scaled, other integers are refused."""
    samples = _tensor(waveform)
    if samples.dtype == torch.int16:
        return samples.to(torch.float32) / INT16_SCALE
    if not samples.is_floating_point():
        message = (
            f"The samples are {samples.dtype}; expected floating point in [-1, 1], or int16. "
            "Divide by the full scale of your format first."
        )
        raise WaveformError(message)
    return samples.to(torch.float32)


LOUDEST = 1e30  # float32 ends at 3e38, and the front end adds up 400 samples times 32,768


def _refuse_bad(batch: Tensor) -> None:
    if batch.ndim != 2:
        message = (
            f"The waveform has shape {tuple(batch.shape)}; expected (samples,) or (batch, samples), mono. "
            "Mix or pick channels first."
        )
        raise WaveformError(message)
    if batch.numel() == 0:
        message = f"The audio is empty: shape {tuple(batch.shape)}; expected at least {SHORTEST} samples."
        raise WaveformError(message)
    if torch.compiler.is_compiling():
        return  # a graph has no values to look at: from here on they are the caller's
    bad = int(batch.numel() - (batch.abs() <= LOUDEST).sum())  # NaN is not below anything
    if bad:
        message = (
            f"{bad} of {batch.numel()} samples are NaN or infinite, or beyond {LOUDEST:.0e}; expected finite "
            "numbers in [-1, 1]. Look for a broken decoder or a division by zero before this."
        )
        raise WaveformError(message)


def _long_enough(batch: Tensor, short: Short, shortest: int) -> Tensor:
    missing = shortest - batch.shape[1]
    if missing <= 0:
        return batch
    if short == "pad":
        return functional.pad(batch, (0, missing))
    message = (
        f"The audio has {batch.shape[1]} samples ({1000 * batch.shape[1] // SAMPLE_RATE} ms at 16 kHz); one "
        f"patch needs {shortest} ({1000 * shortest // SAMPLE_RATE} ms). "
        'Use a longer clip, or short="pad" to append silence.'
    )
    raise WaveformError(message)


def _cut(batch: Tensor, patch: int) -> Tensor:
    """Drop the samples of frames that fill no patch, so that clips of as many patches can go together."""
    return batch[:, : n_samples(n_columns(batch.shape[1], patch) * patch)]
