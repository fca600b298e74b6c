"""Hits cut out of their recordings, as files to listen to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from beats_trainer.atomic import written_whole
from beats_trainer.audio.read import Channels, read_waveform
from beats_trainer.audio.write import write_wav
from beats_trainer.errors import RecordingError
from beats_trainer.foreign.names import unescaped
from beats_trainer.search.nearest import Match

_STRANGE = re.compile(r"[^\w.-]+")
LONGEST_NAME = 80  # letters of a recording's name


def save_clips(matches: Sequence[Match], folder: Path) -> tuple[int, list[str]]:
    """Write each hit as a WAV of 16 kHz, as the encoder heard it.

    Args:
        matches: Best first; their place is the first part of the file's name.
        folder: Where to; made if need be.

    Returns:
        How many were written, and why each of the others was not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lost = []
    for place, match in enumerate(matches, 1):
        try:
            _save(match, folder / _name(place, match))
        except (OSError, RecordingError) as error:
            lost.append(str(error))
    return len(matches) - len(lost), lost


def _save(match: Match, target: Path) -> None:
    channels: Channels = "mix" if match.channel is None else match.channel
    waveform = read_waveform(
        unescaped(match.recording), start_s=match.start_s, end_s=match.end_s, channels=channels,
        truncated="keep",
    )  # fmt: skip
    with written_whole(target) as path:
        write_wav(path, waveform)


def _name(place: int, match: Match) -> str:
    """`001_0.973_dawn_12.00.wav`: names of recordings come from strangers, and stay inside the folder."""
    stem = Path(match.recording.replace("\\", "/")).stem
    return f"{place:03}_{match.cosine:.3f}_{_STRANGE.sub('_', stem)[:LONGEST_NAME]}_{match.start_s:.2f}.wav"
