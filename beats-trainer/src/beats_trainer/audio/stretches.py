"""A part of a recording that a decoder reads by itself, where it does not read the file in one go."""

from __future__ import annotations

from dataclasses import dataclass

from beats_trainer.audio.pieces import Piece


@dataclass(frozen=True)
class Stretch:
    """Bytes that are a file of their own, and where their sound lies in the recording.

    Args:
        pieces: Header and content.
        begins: The frame of the recording with which it begins; behind the stretch before without it.
        ends: The frame with which it ends, where only that is known.
    """

    pieces: tuple[Piece, ...]
    begins: int | None = None
    ends: int | None = None
