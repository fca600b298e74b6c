"""Where the samples of a file in chunks really lie, whatever its header says of their size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from beats_trainer.audio.chunks import Chunk, ChunkedFile, follows, read_chunks
from beats_trainer.audio.damage import Finding

LEAST = 4_096  # bytes behind the last chunk that are taken for sound, and zeros for a tail
_BLOCK = 1 << 20
_PADDING = 8  # fewer bytes than this are what W64 fills up to
_BEFORE_SAMPLES = {"AIFF": 8, "CAF": 4}  # bytes of the chunk: offset and block size; edit count
_WRAP = 1 << 32  # a 32-bit size begins again there


@dataclass(frozen=True)
class Extent:
    """Bytes of samples, and what is to be said of them.

    Args:
        offset: Where they begin in the file.
        size: What is there of them.
        told: Whether a reader that trusts the header finds just these.
        findings: Where header and file differ.
    """

    offset: int
    size: int
    told: bool = True
    findings: tuple[Finding, ...] = ()


def find_extent(path: str | Path) -> Extent | None:
    """Where the samples of a file lie; None if it is in no container of chunks, or has no samples."""
    path = Path(path)
    chunked = read_chunks(path)
    samples = chunked.samples if chunked else None
    if chunked is None or samples is None:
        return None
    length = path.stat().st_size
    first = samples.offset + _BEFORE_SAMPLES.get(chunked.container, 0)
    if chunked.unfinished:
        if follows(path, samples.offset):  # other chunks: it holds no sound
            return Extent(first, 0)
        return _unfinished(path, chunked.container, first, length)
    if samples.missing > 0:
        found = _lacking(chunked.container, samples, length)
        return Extent(first, samples.offset + samples.present - first, findings=(found,))
    return _with_rest(path, chunked, samples, first)


def _unfinished(path: Path, container: str, first: int, length: int) -> Extent:
    """The sound goes on to the end of the file, but for what was only reserved for it."""
    tail = _zero_tail(path, first, length)
    size = length - tail - first
    detail = f"{container}: its size was never written; {size:,} bytes of samples follow"
    found = Finding("unended", detail) if size else Finding("empty", f"{container}: no samples follow")
    return Extent(first, size, told=False, findings=(found, *_tail_finding(tail)))


def _lacking(container: str, samples: Chunk, length: int) -> Finding:
    """A size that is the file's counts the header, too: nothing is missing."""
    if samples.size == length:
        return Finding("stale", f"{container}: its size counts the header, too; no sample is missing")
    return Finding(
        "truncated",
        f"{container}: the header promises {samples.size:,} bytes of samples, "
        f"{samples.present:,} are there ({100 * samples.present // samples.size} %)",
    )


def _with_rest(path: Path, chunked: ChunkedFile, samples: Chunk, first: int) -> Extent:
    """What follows the last chunk: nothing, zeros, more sound, or some bytes of which nobody knows what."""
    length = path.stat().st_size
    whole = Extent(first, max(0, samples.offset + samples.present - first))
    if another := chunked.named("RIFF"):
        found = f"another recording begins {another.offset - 8:,} bytes in, and was not read: split the file"
        return replace(whole, findings=(Finding("leftover", found),))
    rest = length - chunked.end
    if rest < _PADDING:
        return whole
    tail = _zero_tail(path, chunked.end, length)
    if tail == rest:
        return replace(whole, findings=_tail_finding(tail))
    end = _goes_on_to(path, chunked, samples, length - tail)
    if end is None:
        leftover = Finding("leftover", f"{rest:,} bytes behind its last chunk are none; they were not read")
        return replace(whole, findings=(leftover,))
    told = f"{chunked.container}: the header tells of {whole.size:,} bytes of samples"
    stale = Finding("stale", f"{told}, {end - first:,} are there")
    return Extent(first, end - first, told=False, findings=(stale, *_tail_finding(tail)))


def _goes_on_to(path: Path, chunked: ChunkedFile, samples: Chunk, end: int) -> int | None:
    """Where the sound ends if it goes on behind the size that the header tells; None if it does not."""
    wrapped = range(samples.offset + samples.size + _WRAP, path.stat().st_size + 1, _WRAP)
    for position in wrapped:
        if follows(path, position + position % 2):
            return position
    behind_samples = chunked.end <= samples.offset + samples.present + samples.present % 2
    return end if behind_samples and end - chunked.end >= LEAST else None


def _tail_finding(tail: int) -> tuple[Finding, ...]:
    detail = f"the zero tail of {tail:,} bytes was reserved and never recorded"
    return (Finding("zero_tail", detail),) if tail else ()


def zero_tail_finding(path: Path) -> list[Finding]:
    """Of a file in which no header says where the sound ends."""
    return list(_tail_finding(_zero_tail(path, 0, path.stat().st_size)))


def _zero_tail(path: Path, start: int, length: int) -> int:
    """Zero bytes at the end of a file, from `start` on; few of them are sound like any other."""
    end = length
    with path.open("rb") as file:
        while end > start:
            begin = max(start, end - _BLOCK)
            kept = len(_read(file, begin, end).rstrip(b"\x00"))
            end = begin + kept
            if kept:
                break
    tail = length - end
    return tail if tail >= LEAST else 0


def _read(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(end - begin)
