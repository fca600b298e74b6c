"""The frames of a FLAC file, counted one by one: where it goes on behind a damaged one, and how long it is.

Source: RFC 9639, sections 8 and 9.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from beats_trainer.audio.stretches import Stretch

MAGIC = b"fLaC"
_STREAMINFO = 34  # bytes
_COMMENTS, _LARGEST_COMMENTS = 4, 1 << 20  # the kind of their block; bytes
_TAIL = 1 << 19  # bytes at the end in which the last frame is looked for; no frame is longer
_LAST = 4  # that may be the last one: others look like a frame by chance
_SYNC = re.compile(rb"\xff[\xf8\xf9][\x10-\xff]")
_SIZES = {1: 192, **{n: 144 << n for n in range(2, 6)}, **{n: 1 << n for n in range(8, 16)}}
_FROM_HEADER = {6: 1, 7: 2}  # bytes of the block size behind the number
_RATE_BYTES = {12: 1, 13: 2, 14: 2}
_NEAR = 64  # frames that may look like one between two that are


@dataclass(frozen=True)
class Frame:
    """Where a frame lies in the file, its first sample, and how many it has."""

    begin: int
    sample: int
    count: int


@dataclass(frozen=True)
class Header:
    """What stands before the frames: the description of the stream, and where the frames begin."""

    streaminfo: bytes
    begin: int

    @property
    def block(self) -> int:
        """Samples of a frame, but for the last."""
        return int.from_bytes(self.streaminfo[2:4], "big")

    @property
    def total(self) -> int:
        """Samples of the file; 0 if the writer did not know."""
        return int.from_bytes(self.streaminfo[13:18], "big") & (1 << 36) - 1

    def without_total(self) -> bytes:
        """As it would be for a stream of unknown length, so that a decoder reads all that follows."""
        first = self.streaminfo[13] & 0xF0
        changed = self.streaminfo[:13] + bytes([first, 0, 0, 0, 0]) + bytes(16)
        return MAGIC + bytes([0x80, 0, 0, _STREAMINFO]) + changed


def read_header(data: mmap.mmap) -> Header | None:
    """The description of the stream; None if there is none, or another block comes first."""
    start = data.find(MAGIC, 0, 1 << 20)  # behind an ID3 tag, perhaps
    if start < 0 or len(data) < start + 8 + _STREAMINFO or data[start + 4] & 0x7F:
        return None
    streaminfo = data[start + 8 : start + 8 + _STREAMINFO]
    position, last = start + 4, False
    while not last and position + 4 <= len(data):
        last = bool(data[position] & 0x80)
        position += 4 + int.from_bytes(data[position + 1 : position + 4], "big")
    return Header(streaminfo, position)


@dataclass(frozen=True)
class Length:
    """Samples that the header tells of, 0 if it does not, and where the last frame ends, None if it is cut.

    `tagged` says that a tag of ID3 stands behind it, at which decoders stumble.

    A last frame shorter than the others is the end of the recording: an encoder writes no other such frame.
    """

    told: int
    found: int | None
    ended: bool
    tagged: bool = False

    @property
    def samples(self) -> int:
        """What a reader may expect; 0 if that is not known."""
        if self.found is not None and (self.ended or self.found > self.told):
            return self.found
        return self.told


def measure_flac(path: str | Path) -> Length | None:
    """How long a file says it is, and how long it is; None if it is no FLAC of the usual form."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        header = read_header(data)
        if header is None:
            return None
        last, tagged = _last_frame(data, header), _end(data) < len(data)
    if last is None:
        return Length(header.total, None, ended=False, tagged=tagged)
    return Length(header.total, last.sample + last.count, last.count < header.block, tagged)


def all_of(path: str | Path) -> Stretch | None:
    """The file as a stream of unknown length, of which a decoder reads all."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        header = read_header(data)
        return Stretch((header.without_total(), (header.begin, _end(data))), begins=0) if header else None


def intact_stretches(path: str | Path, position: int) -> list[Stretch]:
    """What can be decoded from the frame with this sample on, between frames that are damaged.

    Args:
        path: The file.
        position: A sample, up to which the decoder came.
    """
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        header = read_header(data)
        return list(_intact(data, header, position)) if header else []


def comment_block(path: str | Path) -> bytes | None:
    """The block of comments of a FLAC file; None if it is none, or has none."""
    with Path(path).open("rb") as file:
        if file.read(4) != MAGIC:
            return None
        last = False
        while not last and len(head := file.read(4)) == 4:
            last, size = bool(head[0] & 0x80), int.from_bytes(head[1:], "big")
            if head[0] & 0x7F == _COMMENTS:
                return file.read(min(size, _LARGEST_COMMENTS))
            file.seek(size, os.SEEK_CUR)
    return None


def _intact(data: mmap.mmap, header: Header, position: int) -> Iterator[Stretch]:
    frames = _frames(data, header)
    ends = [*(frame.begin for frame in frames[1:]), _end(data)][: len(frames)]
    first: Frame | None = None
    for frame, end in zip(frames, ends, strict=True):
        if frame.sample + frame.count <= position:
            continue
        if not _is_whole(data[frame.begin : end]):
            if first:
                yield _stretch(header, first, frame.begin)
            first = None
        elif first is None:
            first = frame
    if first:
        yield _stretch(header, first, _end(data))


def _stretch(header: Header, first: Frame, end: int) -> Stretch:
    return Stretch((header.without_total(), (first.begin, end)), begins=first.sample)


def _last_frame(data: mmap.mmap, header: Header) -> Frame | None:
    """Up to the end of the file; None if it is cut, or something else stands there."""
    end = _before_zeros(data)
    found = list(_candidates(data, header, max(header.begin, end - _TAIL)))
    last = [frame for frame in found if frame.begin < end][-_LAST:]
    whole = (frame for frame in reversed(last) if _is_whole_to(data, frame.begin, end))
    ending = (frame for frame in found if header.total and frame.sample + frame.count == header.total)
    return next(whole, None) or next(ending, None)  # a tag may stand behind the frame that ends it


def _end(data: mmap.mmap) -> int:
    """Where ID3v1 begins, which taggers put behind all kinds of files."""
    return len(data) - 128 if data[-128:-125] == b"TAG" else len(data)


def _before_zeros(data: mmap.mmap) -> int:
    """Where zeros begin that fill the file up to its end, or the tag there."""
    end = _end(data)
    while end > 0:
        begin = max(0, end - _TAIL)
        kept = len(data[begin:end].rstrip(b"\0"))
        if kept:
            return begin + kept
        end = begin
    return 0


def _is_whole_to(data: mmap.mmap, begin: int, end: int) -> bool:
    """A checksum may itself end with zeros."""
    return any(_is_whole(data[begin : end + more]) for more in range(3))


def _frames(data: mmap.mmap, header: Header) -> list[Frame]:
    """Those that follow one another; behind a gap those that do so again."""
    found = list(_candidates(data, header, header.begin))
    frames: list[Frame] = []
    for i, frame in enumerate(found):
        if frames and frame.sample < frames[-1].sample + frames[-1].count:
            continue
        follows = bool(frames) and frame.sample == frames[-1].sample + frames[-1].count
        if follows or _is_followed(frame, found[i + 1 : i + 1 + _NEAR]):
            frames.append(frame)
    return frames


def _is_followed(frame: Frame, others: Sequence[Frame]) -> bool:
    return not others or any(other.sample == frame.sample + frame.count for other in others)


def _candidates(data: mmap.mmap, header: Header, start: int) -> Iterator[Frame]:
    for match in _SYNC.finditer(data, start):
        frame = _frame(data[match.start() : match.start() + 16], match.start(), header)
        if frame is not None:
            yield frame


def _frame(head: bytes, begin: int, header: Header) -> Frame | None:
    """A frame header whose checksum is right."""
    if len(head) < 16 or head[3] >> 4 > 10 or head[3] & 1:
        return None
    number, at = _number(head)
    code, rate = head[2] >> 4, head[2] & 15
    more = _FROM_HEADER.get(code, 0)
    count = int.from_bytes(head[at : at + more], "big") + 1 if more else _SIZES.get(code, 0)
    at += more + _RATE_BYTES.get(rate, 0)
    if number is None or not count or at >= len(head) or _crc(head[:at], 8) != head[at]:
        return None
    return Frame(begin, number if head[1] & 1 else number * header.block, count)


def _number(head: bytes) -> tuple[int | None, int]:
    """Of the frame or of its first sample, as UTF-8 would write it, up to 36 bits; and where it ends."""
    first = head[4]
    if first < 0x80:
        return first, 5
    more = f"{first:08b}".index("0") - 1 if first < 0xFF else 0
    if not 1 <= more <= 6:
        return None, 5
    value = first & (0x3F >> more)
    for byte in head[5 : 5 + more]:
        value = value << 6 | byte & 0x3F
    return value, 5 + more


def _is_whole(content: bytes) -> bool:
    """The checksum at its end, taken with what it is of, gives 0."""
    return len(content) > 2 and _crc(content, 16) == 0


def _crc(content: bytes, bits: int) -> int:
    table, mask = _TABLES[bits], (1 << bits) - 1
    value = 0
    for byte in content:
        value = (value << 8 & mask) ^ table[value >> bits - 8 ^ byte]
    return value


def _table(bits: int, polynomial: int) -> list[int]:
    values = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 else 0)
            value &= (1 << bits) - 1
        values.append(value)
    return values


_TABLES = {8: _table(8, 0x07), 16: _table(16, 0x8005)}
