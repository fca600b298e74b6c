"""Is all of a recording there? What its container promises, against the file."""

from __future__ import annotations

import os
from pathlib import Path

from beats_trainer.audio.chunks import ChunkedFile, read_chunks
from beats_trainer.audio.damage import Finding
from beats_trainer.audio.mp3 import count_frames

MPEG_SUFFIXES = {".mp3", ".mp2", ".mpga"}

_HEADER = 27  # bytes, then one for each segment: RFC 3533, section 6

_LARGEST_PAGE = _HEADER + 255 + 255 * 255

_END_OF_STREAM = 4

_GOES_ON = 255  # the size of a segment whose packet has another


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
    lacking = _lacking(path, magic)
    return [Finding("truncated", lacking)] if lacking else []


def _lacking(path: Path, magic: bytes) -> str | None:
    if path.suffix.lower() in MPEG_SUFFIXES and magic not in {b"RIFF", b"fLaC"}:
        return _lacking_frames(path)
    chunked = read_chunks(path)
    return _lacking_chunk(chunked) if chunked else None


def _lacking_chunk(chunked: ChunkedFile) -> str | None:
    samples = chunked.samples
    if samples is None:
        return f"{chunked.container}: the file ends before its samples begin"
    if chunked.unfinished:
        return f"{chunked.container}: its size was never written; {samples.present:,} bytes of samples follow"
    if samples.missing > 0:
        return (
            f"{chunked.container}: the header promises {samples.size:,} bytes of samples, "
            f"{samples.present:,} are there ({100 * samples.present // samples.size} %)"
        )
    return None


def _lacking_frames(path: Path) -> str | None:
    frames = count_frames(path)
    if frames is None:
        return None
    if frames.promised is not None and frames.found < frames.promised:
        return f"MP3: the header promises {frames.promised:,} frames, {frames.found:,} are there"
    return f"MP3: the last of {frames.found + 1:,} frames is cut off" if frames.cut else None


def count_finding(path: Path, promised: int, decoded: int) -> Finding | None:
    """Whether fewer frames were decoded than the decoder promised when it opened the file.

    For MPEG audio the promise is a guess from the size of the file: there the header's count is the judge.
    """
    if decoded >= promised or path.suffix.lower() in MPEG_SUFFIXES:
        return None
    return Finding("truncated", f"the header promises {promised:,} frames, {decoded:,} were decoded")


# The last page of an Ogg file, which says whether the stream was ended, only stopped, or cut.
def ogg_finding(path: str | Path) -> Finding | None:
    """Why an Ogg file is not whole, or None if its last page is there and ends the stream.

    A stream that nobody ended lacks nothing that can be seen: some writers never do, and a recorder without
    power cannot. Where a page or a packet is cut, sound is missing.
    """
    with Path(path).open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 2 * _LARGEST_PAGE))
        tail = file.read()
    at = tail.rfind(b"OggS")
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
    ended = page[5] & _END_OF_STREAM
    if not ended and missing < 0:
        return Finding("truncated", f"{-missing} bytes of another page follow the last whole one")
    if not ended:
        return Finding("unended", "the last page is whole and does not end the stream")
    return None
