"""The frames of an MPEG audio file, counted one by one, against its Xing, Info or VBRI header."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

# kbit/s by (MPEG 1 or not, layer), index 1 to 14 of the frame header
_BITRATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_FURTHEST = 65536  # bytes that are searched for the next frame after junk


@dataclass(frozen=True)
class Frames:
    """Frames found, frames promised (None where no header says), and whether the last one is cut off."""

    found: int
    promised: int | None
    cut: bool


def count_frames(path: str | Path) -> Frames | None:
    """Walk through the frames of a file; None if there is no MPEG audio in it."""
    if Path(path).stat().st_size < 4:
        return None
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _next_frame(data, _after_id3(data))
        if start is None:
            return None
        promised = _promised(data, start)
        found, cut = _walk(data, start)
    return Frames(found - (promised is not None), promised, cut)


def _walk(data: mmap.mmap, position: int) -> tuple[int, bool]:
    """Number of whole frames, and whether one more is begun."""
    found, end = 0, _before_tags(data)
    lengths: dict[bytes, int] = {}
    while position + 4 <= end:
        header = data[position : position + 4]
        length = lengths.get(header) or lengths.setdefault(header, _frame_length(header))
        if not length:
            resumed = _next_frame(data, position + 1)
            if resumed is None:
                return found, False
            position = resumed
            continue
        if position + length > end:
            return found, True
        found += 1
        position += length
    return found, False


def _frame_length(header: bytes) -> int:
    """Bytes of a frame, or 0 if this is no frame header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in {0, 15} or rate == 3:
        return 0
    bits = _BITRATES[(version == 3, layer)][bitrate - 1] * 1000
    if layer == 1:
        return (12 * bits // _RATES[version][rate] + padding) * 4
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * bits // _RATES[version][rate] + padding


def _next_frame(data: mmap.mmap, position: int) -> int | None:
    """The next place where one frame follows another, so that a chance 0xFF is not taken for one."""
    stop = min(len(data), position + _FURTHEST)
    while (position := data.find(b"\xff", position, stop)) >= 0:
        length = _frame_length(data[position : position + 4])
        after = data[position + length : position + length + 4]
        if length and (len(after) < 4 or _frame_length(after) or after[:3] == b"TAG"):
            return position
        position += 1
    return None


def _promised(data: mmap.mmap, start: int) -> int | None:
    """The frame count that the first frame carries instead of sound."""
    frame = data[start : start + 256]
    for name in (b"Xing", b"Info"):
        at = frame.find(name)
        if at >= 0 and frame[at + 7] & 1:
            return int.from_bytes(frame[at + 8 : at + 12], "big")
    at = frame.find(b"VBRI")
    return int.from_bytes(frame[at + 14 : at + 18], "big") if at >= 0 else None


def _after_id3(data: mmap.mmap) -> int:
    if data[:3] != b"ID3":
        return 0
    size = data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]
    return size + 10 + (10 if data[5] & 0x10 else 0)


def _before_tags(data: mmap.mmap) -> int:
    """Where ID3v1 and APE tags at the end begin."""
    end = len(data) - 128 if data[len(data) - 128 : len(data) - 125] == b"TAG" else len(data)
    ape = data.rfind(b"APETAGEX", max(0, end - _FURTHEST), end)
    return ape if ape >= 0 else end
