"""Sound into a file, as the encoder hears it."""

from __future__ import annotations

from pathlib import Path

import soundfile

from beats_trainer.audio.read import Waveform
from beats_trainer.sampling import SAMPLE_RATE


def write_wav(path: Path, waveform: Waveform) -> None:
    """Write `(samples,)` at 16 kHz as a WAV of floats: read again, it is bit for bit the same."""
    soundfile.write(path, waveform, SAMPLE_RATE, format="WAV", subtype="FLOAT")
