"""Whether a recording holds all the bytes that its header promises: recorders that lose power write less."""

from __future__ import annotations

from pathlib import Path

from beats_trainer.chunks import read_layout


def missing_bytes(path: Path) -> int:
    """How many bytes of samples the file is short of its header.

    0 for formats without such a promise (FLAC, MP3, Ogg) and for headers that do not say.
    """
    layout = read_layout(path)
    sound = layout.sound if layout else None
    return max(0, sound.missing) if sound else 0
