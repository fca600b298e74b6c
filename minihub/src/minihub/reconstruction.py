"""How a Xet client puts a file together again: which chunks of which xorbs, and where to fetch them."""

from collections.abc import Callable
from typing import Any

from minihub.cas import Cas
from minihub.errors import HubError
from minihub.shards import FileInfo, Term
from minihub.xethash import to_hex
from minihub.xorbs import Chunk

Address = Callable[[bytes, int, int], str]  # xorb, first and last byte -> where to fetch them


def reconstruction(cas: Cas, info: FileInfo, span: tuple[int, int], address: Address) -> dict[str, Any]:
    """The terms that cover the bytes `span[0]` to `span[1]` of a file."""
    start, end = span
    if start >= end and info.size:
        message = f"The range begins at byte {start} of a file of {info.size} bytes."
        raise HubError(message, status=416)
    terms: list[dict[str, Any]] = []
    fetches: dict[str, dict[tuple[int, int], tuple[Term, list[Chunk]]]] = {}
    offset = at = 0
    for term in info.terms:
        if at < end and at + term.size > start:
            chunks = cas.xorb(term.xorb).chunks
            part, skipped = _part(term, chunks, max(start - at, 0), min(end - at, term.size))
            offset = offset if terms else max(start - at, 0) - skipped
            terms.append(_term_json(part))
            fetches.setdefault(to_hex(part.xorb), {})[part.start, part.end] = (part, chunks)
        at += term.size
    return {
        "offset_into_first_range": offset,
        "terms": terms,
        "fetch_info": {
            name: [_fetch_json(part, chunks, address) for part, chunks in parts.values()]
            for name, parts in fetches.items()
        },
    }


def _part(term: Term, chunks: list[Chunk], start: int, end: int) -> tuple[Term, int]:
    """The chunks of a term that cover its bytes `start` to `end`, and the bytes before them."""
    first, skipped = term.start, 0
    while skipped + chunks[first].size <= start:
        skipped += chunks[first].size
        first += 1
    last, covered = first, skipped
    while covered < end:
        covered += chunks[last].size
        last += 1
    return Term(term.xorb, first, last, covered - skipped), skipped


def _term_json(term: Term) -> dict[str, Any]:
    return {
        "hash": to_hex(term.xorb),
        "unpacked_length": term.size,
        "range": {"start": term.start, "end": term.end},
    }


def _fetch_json(term: Term, chunks: list[Chunk], address: Address) -> dict[str, Any]:
    first, last = chunks[term.start].offset, chunks[term.end - 1].end - 1
    return {
        "range": {"start": term.start, "end": term.end},
        "url": address(term.xorb, first, last),
        "url_range": {"start": first, "end": last},
    }
