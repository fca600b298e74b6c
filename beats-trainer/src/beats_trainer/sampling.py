"""Samples, frames, mels and patches: how many of each, everywhere inside."""

from __future__ import annotations

SAMPLE_RATE = 16_000  # Hz, everywhere inside

FRAME_LENGTH = SAMPLE_RATE * 25 // 1000  # 400 samples in a frame of 25 ms

FRAME_SHIFT = SAMPLE_RATE * 10 // 1000  # 160 samples from one frame to the next
INT16_SCALE = 2.0**15  # Kaldi counts in 16-bit units

N_MELS = 128  # bands of the filter bank
FBANK_MEAN, FBANK_STD = 15.41663, 6.55582  # of AudioSet, by the authors of BEATs
PATCH = 16  # frames and mels on a side, in every published encoder


def n_samples(frames: int) -> int:
    """Number of samples that so many frames look at."""
    return FRAME_LENGTH + (frames - 1) * FRAME_SHIFT if frames else 0


SHORTEST = n_samples(PATCH)  # 2800 samples: one column of patches


def n_frames(n_samples: int) -> int:
    """Number of frames in a waveform; a rest shorter than a frame is dropped."""
    return max(0, 1 + (n_samples - FRAME_LENGTH) // FRAME_SHIFT)
