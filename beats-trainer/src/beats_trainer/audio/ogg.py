"""The pages of an Ogg file: streams one behind the other, pages that are damaged or gone, and how it ends.

Source: RFC 3533; Vorbis I, appendix A.2; RFC 7845 for Opus.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from beats_trainer.audio.damage import Finding
from beats_trainer.audio.stretches import Stretch

MAGIC = b"OggS"
OPUS_RATE = 48_000  # of its granule positions, whatever the rate of the sound
_HEADER = 27  # bytes, then one for each segment: RFC 3533, section 6
_LARGEST_PAGE = _HEADER + 255 + 255 * 255
_GOES_ON = 255  # the size of a segment whose packet has another
_BEGINS, _ENDS = 2, 4  # flags of a page
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Page:
    """A page that is whole: where it lies, its flags, position, stream and number."""

    begin: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int


@dataclass
class _Run:
    """Pages without a gap."""

    begin: int
    end: int
    granule: int = -1  # the last position in it
    number: int = 0


@dataclass
class _Link:
    """One stream of a file that holds several, one behind the other."""

    serial: int
    content: bytes  # of the first page
    headers: tuple[int, int] = (0, 0)
    runs: list[_Run] = field(default_factory=list)


def find_stretches(path: str | Path, rate: int) -> list[Stretch] | None:
    """The stretches of an Ogg file of several streams, or of one in which pages are damaged or gone.

    Args:
        path: The file.
        rate: Hz, as the decoder says.

    Returns:
        None where a decoder reads the file as it is.
    """
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        links = _links(data)
    if links is None or (all(len(link.runs) == 1 for link in links[:1]) and len(links) == 1):
        return None
    return [stretch for link in links for stretch in _stretches(link, rate)]


def _links(data: mmap.mmap) -> list[_Link] | None:
    """None for what is not one stream at a time."""
    links: list[_Link] = []
    for page in _pages(data):
        if page.flags & _BEGINS:
            if links and not links[-1].runs:
                return None  # two begin together: multiplexed
            links.append(_Link(page.serial, data[page.begin : page.end], (page.begin, page.end)))
        elif not links or page.serial != links[-1].serial:
            return None
        else:
            _join(links[-1], page)
    return links or None


def _join(link: _Link, page: Page) -> None:
    """Headers have no position, and no packet of sound shares a page with them."""
    if not link.runs and page.granule <= 0:
        link.headers = (link.headers[0], page.end)
        return
    if not link.runs or page.number != link.runs[-1].number + 1:
        link.runs.append(_Run(page.begin, page.end))
    run = link.runs[-1]
    run.end, run.number = page.end, page.number
    run.granule = page.granule if page.granule >= 0 else run.granule


def _stretches(link: _Link, rate: int) -> Iterator[Stretch]:
    """The first as it lies; of the others their end is known, from the position of their last page."""
    for i, run in enumerate(link.runs):
        if not i:
            yield Stretch((link.headers, (run.begin, run.end)))
        elif run.granule >= 0:
            yield Stretch((link.headers, (run.begin, run.end)), ends=_frame(link, run.granule, rate))


def _frame(link: _Link, granule: int, rate: int) -> int:
    """Where a position is; libsndfile leaves out the pre-skip of Opus in a stretch from the middle, too."""
    at = link.content.find(b"OpusHead")
    if at < 0:
        return granule
    skipped = int.from_bytes(link.content[at + 10 : at + 12], "little")
    return (granule - 2 * skipped) * rate // OPUS_RATE


def _pages(data: mmap.mmap) -> Iterator[Page]:
    """Whole pages, in order; what is damaged is passed over."""
    position = 0
    while (position := data.find(MAGIC, position)) >= 0:
        page = _page(data, position)
        if page is None:
            position += 1
        else:
            yield page
            position = page.end


def _page(data: mmap.mmap, begin: int) -> Page | None:
    header = data[begin : begin + _HEADER]
    if len(header) < _HEADER or header[4]:
        return None
    flags, granule, serial, number, checksum, count = struct.unpack_from("<BqIIIB", header, 5)
    table = data[begin + _HEADER : begin + _HEADER + count]
    end = begin + _HEADER + count + sum(table)
    if len(table) < count or end > len(data):
        return None
    content = data[begin : begin + 22] + bytes(4) + data[begin + 26 : end]
    return Page(begin, end, flags, granule, serial, number) if _checksum(content) == checksum else None


def _checksum(content: bytes) -> int:
    """CRC-32 with the bits of each byte the other way round, begun with 0: RFC 3533, section 6, field 8."""
    crc = zlib.crc32(content.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{crc:032b}"[::-1], 2)


# How it ends: whether the stream was ended, only stopped, or cut.
def ogg_finding(path: str | Path) -> Finding | None:
    """Why an Ogg file is not whole, or None if its last page is there and ends the stream.

    A stream that nobody ended lacks nothing that can be seen: some writers never do, and a recorder without
    power cannot. Where a page or a packet is cut, sound is missing.
    """
    with Path(path).open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 2 * _LARGEST_PAGE))
        tail = file.read()
    at = tail.rfind(MAGIC)
    if at < 0:
        return Finding("truncated", f"no Ogg page in its last {len(tail)} bytes")
    return _page_finding(tail[at:])


def _page_finding(page: bytes) -> Finding | None:
    """What is wrong with the last page."""
    if len(page) < _HEADER:
        return Finding("truncated", "the file stops inside the header of a page")
    segments = page[_HEADER : _HEADER + page[26]]
    missing = _HEADER + page[26] + sum(segments) - len(page)
    if len(segments) < page[26] or missing > 0:
        return Finding("truncated", f"the last page lacks {max(missing, 1)} bytes")
    if segments and segments[-1] == _GOES_ON:
        return Finding("truncated", "the last packet goes on in a page that is not there")
    ended = page[5] & _ENDS
    if not ended and missing < 0:
        return Finding("truncated", f"{-missing} bytes of another page follow the last whole one")
    if not ended:
        return Finding("unended", "the last page is whole and does not end the stream")
    return None
