"""Waveform in, normalised Kaldi filter bank out; a whole batch at once, equal to Kaldi's loop bit for bit."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from beats_trainer.sampling import (
    FBANK_MEAN,
    FBANK_STD,
    FRAME_LENGTH,
    FRAME_SHIFT,
    INT16_SCALE,
    N_MELS,
    SAMPLE_RATE,
)

N_FFT = 512  # samples, the next power of two
LOW_HZ, HIGH_HZ = 20.0, SAMPLE_RATE / 2
PREEMPHASIS = 0.97
LOUDEST = 1e37  # of an energy: what is beyond would be infinite, and its logarithm no number


def fbank(waveform: Tensor, mean: float = FBANK_MEAN, std: float = FBANK_STD) -> Tensor:
    """Normalised log-mel energies.

    Args:
        waveform: `(batch, samples)`, float32, in [-1, 1].
        mean: Mean of the corpus that the encoder was trained on.
        std: Its standard deviation; the authors divide by twice this.

    Returns:
        `(batch, frames, 128)`.
    """
    return (log_mel(waveform) - mean) / (2 * std)


def log_mel(waveform: Tensor) -> Tensor:
    """Kaldi's log-mel filter bank without dither: `(batch, samples)` -> `(batch, frames, 128)`."""
    window, mel_bank = _constants(waveform.device)
    frames = (waveform * INT16_SCALE).unfold(-1, FRAME_LENGTH, FRAME_SHIFT)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    frames = (frames - PREEMPHASIS * before) * window
    power = (
        torch.fft.rfft(functional.pad(frames, (0, N_FFT - FRAME_LENGTH))).abs().pow(2.0).clamp(max=LOUDEST)
    )
    return torch.matmul(power, mel_bank).clamp(min=torch.finfo(torch.float32).eps).log()


@lru_cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """The Povey window `(400,)` and the mel bank `(257, 128)`."""
    with torch.inference_mode(False), torch.no_grad():  # without a name: so torch's compiler wants it
        window = torch.hann_window(FRAME_LENGTH, periodic=False, device="cpu").pow(0.85)
        return window.to(device), _mel_bank().to(device)


def _mel_bank() -> Tensor:
    """Triangles that are even in mel, `(257, 128)`; the last FFT bin counts for nothing, as in Kaldi."""
    low, high = _mel(LOW_HZ), _mel(HIGH_HZ)
    step = (high - low) / (N_MELS + 1)
    band = torch.arange(N_MELS, device="cpu").unsqueeze(1)
    left, centre, right = low + band * step, low + (band + 1.0) * step, low + (band + 2.0) * step
    hz = SAMPLE_RATE / N_FFT * torch.arange(N_FFT // 2, device="cpu")
    mel = (1127.0 * (1.0 + hz / 700.0).log()).unsqueeze(0)
    slopes = torch.min((mel - left) / (centre - left), (right - mel) / (right - centre)).clamp(min=0.0)
    return functional.pad(slopes, (0, 1)).T


def _mel(hz: float) -> float:
    return 1127.0 * math.log(1.0 + hz / 700.0)
