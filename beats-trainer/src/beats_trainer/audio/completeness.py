"""Is all of a recording there? What its container promises, against the file."""

from __future__ import annotations

from pathlib import Path

from beats_trainer.audio.chunks import read_chunks
from beats_trainer.audio.damage import Finding
from beats_trainer.audio.extent import find_extent, zero_tail_finding
from beats_trainer.audio.flac import MAGIC as FLAC
from beats_trainer.audio.flac import measure_flac
from beats_trainer.audio.mp3 import MISCOUNTED, count_frames
from beats_trainer.audio.ogg import MAGIC as OGG
from beats_trainer.audio.ogg import ogg_finding

MPEG_SUFFIXES = {".mp3", ".mp2", ".mpga"}


def header_findings(path: str | Path) -> list[Finding]:
    """What the headers of a file show to be wrong, without decoding it."""
    path = Path(path)
    size = path.stat().st_size
    if size == 0:
        return [Finding("empty", "the file has 0 bytes")]
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == OGG:
        finding = ogg_finding(path)
        return [*([finding] if finding else []), *zero_tail_finding(path)]
    if magic == FLAC:
        return [*_flac_findings(path), *zero_tail_finding(path)]
    if path.suffix.lower() in MPEG_SUFFIXES and magic != b"RIFF":
        return [*_mpeg_findings(path), *zero_tail_finding(path)]
    return _chunk_findings(path)


def _chunk_findings(path: Path) -> list[Finding]:
    extent = find_extent(path)
    if extent is not None:
        return list(extent.findings)
    chunked = read_chunks(path)
    if chunked is None or chunked.end < path.stat().st_size:
        return []
    return [Finding("truncated", f"{chunked.container}: the file ends before its samples begin")]


def _flac_findings(path: Path) -> list[Finding]:
    length = measure_flac(path)
    if length is None:
        return []
    if length.found is None:
        return [Finding("truncated", "FLAC: the last frame is cut off, or others are missing behind it")]
    if length.samples == length.told:
        return []
    told = f"tells of {length.told:,}" if length.told else "does not say how many"
    return [Finding("stale", f"FLAC: the header {told} frames, {length.samples:,} are there")]


def _mpeg_findings(path: Path) -> list[Finding]:
    frames = count_frames(path)
    if frames is None:
        return []
    told = frames.found if frames.promised is None else frames.promised
    difference = f"{told:,} frames, {frames.found:,} are there"
    if frames.found < told:
        return [Finding("truncated", f"MP3: the header promises {difference}")]
    if frames.cut:
        return [Finding("truncated", f"MP3: the last of {frames.found + 1:,} frames is cut off")]
    stale = Finding("stale", f"MP3: the header tells of {difference}")
    return [stale] if frames.found > told + MISCOUNTED else []


def count_finding(path: Path, promised: int, decoded: int) -> Finding | None:
    """Whether fewer frames were decoded than the decoder promised when it opened the file.

    For MPEG audio the promise is a guess from the size of the file: there the header's count is the judge.
    """
    if decoded >= promised or path.suffix.lower() in MPEG_SUFFIXES:
        return None
    return Finding("truncated", f"the header promises {promised:,} frames, {decoded:,} were decoded")
