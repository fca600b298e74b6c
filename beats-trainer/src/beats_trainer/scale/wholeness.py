"""Is all of a recording there? What its container promises, against the file."""

from __future__ import annotations

from pathlib import Path

from beats_trainer.chunks import Layout, read_layout
from beats_trainer.scale.findings import Finding
from beats_trainer.scale.mpeg import count_frames
from beats_trainer.scale.ogg import ogg_finding

MPEG_SUFFIXES = {".mp3", ".mp2", ".mpga"}


def header_findings(path: str | Path) -> list[Finding]:
    """What the headers of a file show to be wrong, without decoding it."""
    path = Path(path)
    size = path.stat().st_size
    if size == 0:
        return [Finding("empty", "the file has 0 bytes")]
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"OggS":
        finding = ogg_finding(path)
        return [finding] if finding else []
    detail = _detail(path, magic)
    return [Finding("truncated", detail)] if detail else []


def _detail(path: Path, magic: bytes) -> str | None:
    if path.suffix.lower() in MPEG_SUFFIXES and magic not in {b"RIFF", b"fLaC"}:
        return _mpeg(path)
    layout = read_layout(path)
    return _chunked(layout) if layout else None


def _chunked(layout: Layout) -> str | None:
    sound = layout.sound
    if sound is None:
        return f"{layout.container}: the file ends before its samples begin"
    if layout.unfinished:
        return f"{layout.container}: its size was never written; {sound.present:,} bytes of samples follow"
    if sound.missing > 0:
        return (
            f"{layout.container}: the header promises {sound.size:,} bytes of samples, "
            f"{sound.present:,} are there ({100 * sound.present // sound.size} %)"
        )
    return None


def _mpeg(path: Path) -> str | None:
    frames = count_frames(path)
    if frames is None:
        return None
    if frames.promised is not None and frames.found < frames.promised:
        return f"MP3: the header promises {frames.promised:,} frames, {frames.found:,} are there"
    return f"MP3: the last of {frames.found + 1:,} frames is cut off" if frames.cut else None
