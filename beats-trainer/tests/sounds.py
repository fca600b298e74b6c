"""Sounds that tests write to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TINY = Path(__file__).parent / "golden" / "tiny" / "BEATs_iter3_plus_AS2M.pt"


def noise(seconds, rate=16_000, channels=1, seed=0):
    samples = np.random.default_rng(seed).standard_normal((round(seconds * rate), channels)) / 8
    return samples.astype(np.float32)
