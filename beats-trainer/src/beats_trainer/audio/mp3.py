"""The frames of an MPEG audio file, counted one by one, against its Xing, Info or VBRI header.

Source: ISO 11172-3; the Xing and LAME tags, http://gabriel.mp3-tech.org/mp3infotag.html.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from beats_trainer.audio.stretches import Stretch

# kbit/s by (MPEG 1 or not, layer), index 1 to 14 of the frame header
_BITRATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_TAGS = frozenset({b"Xing", b"Info"})
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_FURTHEST = 65536  # bytes that are searched for tags at the end
_TAG_AT = {(True, False): 36, (True, True): 21, (False, False): 21, (False, True): 13}  # by MPEG 1, by mono
MISCOUNTED = 1  # frames: some writers count the one that holds their tag
_IN_A_ROW = 3  # frames behind which another is believed to follow
_TAG_BITRATE = 0x90  # 128 kbit/s, or 80 of the lower rates: room for a tag
_DECODER_DELAY = 529  # samples: of every decoder of layer III, which LAME's tag does not count


@dataclass(frozen=True)
class Frames:
    """Frames found, frames promised (None where no header says), and whether the last one is cut off."""

    found: int
    promised: int | None
    cut: bool


@dataclass
class _Run:
    """Frames one behind the other.

    `lost` bytes before them are no frames, and `tag` is the header that begins them, as it does a file.
    `delay` samples are left out at its start, and `silence` in all: the encoder's own.
    """

    begin: int
    end: int
    first: bytes
    found: int = 0
    lost: int = 0
    promised: int | None = None
    tag: bytes = b""
    delay: int = 0
    silence: int = 0


@dataclass(frozen=True)
class _Walked:
    """Runs of whole frames, whether one more is begun, and whether their bitrates vary."""

    runs: list[_Run]
    cut: bool
    varies: bool


def count_frames(path: str | Path) -> Frames | None:
    """Walk through the frames of a file; None if there is no MPEG audio in it."""
    walked = _walked(Path(path))
    if walked is None:
        return None
    runs, cut = walked.runs, walked.cut
    promised = [run.promised for run in runs if run.tag]
    told = sum(count or 0 for count in promised) if promised and None not in promised else None
    return Frames(sum(run.found for run in runs), told, cut)


def find_stretches(path: str | Path) -> list[Stretch] | None:
    """The stretches of a file that was joined of several, or that has a hole.

    Returns:
        None where a decoder reads the file as it is.
    """
    walked = _walked(Path(path))
    if walked is None or _is_plain(walked):
        return None
    return list(_stretches(walked.runs))


def _is_plain(walked: _Walked) -> bool:
    """Whether a decoder knows the length: from a header, or from the size where all frames are alike."""
    first = walked.runs[0]
    if len(walked.runs) > 1:
        return False
    return not walked.varies if first.promised is None else first.found <= first.promised + MISCOUNTED


def _stretches(runs: list[_Run]) -> Iterator[Stretch]:
    """Behind a hole frames are counted from where the file before it began."""
    began, frame, delay, length = 0, 0, 0, 0
    for run in runs:
        samples = _samples(run.first)
        if run.tag or not run.lost:
            began, frame, delay = began + length, 0, run.delay
        else:
            frame += round(run.lost / max(1, (run.end - run.begin) / max(1, run.found)))
        told = _recounted(run) if run.tag else _count_tag(run.first, run.found)
        begin = run.begin + len(run.tag)
        # What has a count and no delay loses the decoder's own at its start.
        into = frame * samples - delay + _DECODER_DELAY if frame else 0
        yield Stretch((told, (begin, run.end)), begins=began + into)
        frame += run.found
        length = max(0, frame * samples - run.silence) if run.tag else frame * samples


def _walked(path: Path) -> _Walked | None:
    if path.stat().st_size < 4:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _next_frame(data, _after_id3(data, 0))
        return None if start is None else _Walker(data, start).walk()


class _Walker:
    """From one frame to the next, over what is none."""

    def __init__(self, data: mmap.mmap, start: int) -> None:
        self.data, self.end = data, _before_tags(data)
        self.runs = [_begin(data, start, 0)]
        self.cut = False
        self._known: dict[bytes, tuple[int, int]] = {}  # a file has few headers and many frames

    def walk(self) -> _Walked:
        """To the end of the file."""
        position: int | None = self.runs[0].begin
        while position is not None and position + 4 <= self.end:
            position = self._after(position)
        bitrates = {header[2] >> 4 for header, (length, _) in self._known.items() if length}
        return _Walked(self.runs, self.cut, len(bitrates) > 1)

    def _after(self, position: int) -> int | None:
        """Behind the frame that is here, or where the next one begins; None where there is no more."""
        length, tag = self._header(self.data[position : position + 4])
        if not length:
            return self._resumed(position)
        if position + length > self.end:
            self.cut = True
            return None
        if position > self.runs[-1].begin and self.data[position + tag : position + tag + 4] in _TAGS:
            self.runs.append(_begin(self.data, position, 0))
        run = self.runs[-1]
        run.found += not (run.tag and position == run.begin)
        run.end = position + length
        return run.end

    def _header(self, header: bytes) -> tuple[int, int]:
        """Bytes of its frame, and where a tag would stand in it."""
        if header not in self._known:
            self._known[header] = (_frame_length(header), _tag_at(header))
        return self._known[header]

    def _resumed(self, position: int) -> int | None:
        """The next frame behind what is none: a tag between two files, or a hole."""
        behind = _after_tags(self.data, position)
        found = _next_frame(self.data, behind, self.end)
        if found is not None:
            self.runs.append(_begin(self.data, found, found - behind))
        return found


def _begin(data: mmap.mmap, position: int, lost: int) -> _Run:
    promised, tagged = _promised(data, position)
    header = data[position : position + 4]
    tag = data[position : position + _frame_length(header)] if tagged else b""
    delay, silence = _delay(data, position + _tag_at(header)) if tag else (0, 0)
    return _Run(position, position, header, 0, lost, promised, tag, delay, silence)


def _recounted(run: _Run) -> bytes:
    """Its tag with the frames that there are."""
    at = _tag_at(run.first)
    if run.tag[at : at + 4] not in _TAGS or not run.tag[at + 7] & 1:
        return run.tag
    return run.tag[: at + 8] + run.found.to_bytes(4, "big") + run.tag[at + 12 :]


def _count_tag(header: bytes, frames: int) -> bytes:
    """A frame without sound that says how many follow, so that a decoder need not guess."""
    plain = bytes([header[0], header[1] | 1, header[2] & 0x0C | _TAG_BITRATE, header[3]])
    length = _frame_length(plain)
    tag = b"Xing" + bytes([0, 0, 0, 1]) + frames.to_bytes(4, "big")
    return (plain + bytes(_tag_at(plain) - 4) + tag).ljust(length, b"\0")


def _after_tags(data: mmap.mmap, position: int) -> int:
    """Behind ID3 tags that stand where a frame is expected, as where two files were joined."""
    if data[position : position + 3] == b"TAG":
        position += 128
    return _after_id3(data, position)


def _tag_at(header: bytes) -> int:
    """Where Xing's or LAME's tag would stand in a frame."""
    return _TAG_AT[(header[1] >> 3 & 3 == 3, header[3] >> 6 == 3)]


def _samples(header: bytes) -> int:
    """Of a frame."""
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    if layer == 1:
        return 384
    return 576 if layer == 3 and version != 3 else 1152


def _delay(data: mmap.mmap, tag: int) -> tuple[int, int]:
    """Samples that a decoder leaves out at the start, and in all, where LAME's tag says so."""
    if data[tag : tag + 4] not in _TAGS or len(data) < tag + 256:
        return 0, 0
    flags = data[tag + 7]
    at = tag + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    if data[at : at + 4] not in {b"LAME", b"Lavf", b"Lavc"}:
        return 0, 0
    before, behind = data[at + 21] << 4 | data[at + 22] >> 4, (data[at + 22] & 15) << 8 | data[at + 23]
    return before + _DECODER_DELAY, before + behind


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
    return _samples(header) // 8 * bits // _RATES[version][rate] + padding


def _next_frame(data: mmap.mmap, position: int, stop: int | None = None) -> int | None:
    """The next place where frames follow one another, so that a chance 0xFF is not taken for one."""
    stop = len(data) if stop is None else stop
    while (position := data.find(b"\xff", position, stop)) >= 0:
        if _frame_length(data[position : position + 4]) and _is_followed(data, position, stop):
            return position
        position += 1
    return None


def _is_followed(data: mmap.mmap, position: int, stop: int) -> bool:
    for _ in range(_IN_A_ROW):
        length = _frame_length(data[position : position + 4])
        if not length:
            return False
        position += length
        if position + 4 > stop or data[position : position + 3] == b"TAG":
            return True
    return True


def _promised(data: mmap.mmap, start: int) -> tuple[int | None, bool]:
    """The frame count that the first frame carries instead of sound, and whether it does."""
    frame = data[start : start + 256]
    for name in _TAGS:
        at = frame.find(name)
        if 0 <= at <= len(frame) - 12:
            return (int.from_bytes(frame[at + 8 : at + 12], "big") if frame[at + 7] & 1 else None), True
    at = frame.find(b"VBRI")
    if 0 <= at <= len(frame) - 18:
        return int.from_bytes(frame[at + 14 : at + 18], "big"), True
    return None, False


def _after_id3(data: mmap.mmap, position: int) -> int:
    if data[position : position + 3] != b"ID3" or len(data) < position + 10:
        return position
    size = 0
    for byte in data[position + 6 : position + 10]:
        size = size << 7 | byte & 0x7F
    return position + size + 10 + (10 if data[position + 5] & 0x10 else 0)


def _before_tags(data: mmap.mmap) -> int:
    """Where ID3v1 and APE tags at the end begin."""
    end = len(data) - 128 if data[len(data) - 128 : len(data) - 125] == b"TAG" else len(data)
    ape = data.rfind(b"APETAGEX", max(0, end - _FURTHEST), end)
    return ape if ape >= 0 else end
