"""How a Xet client puts a file together again: which chunks of which xorbs, and where to fetch them."""

from collections.abc import Callable, Iterable
from typing import Any

from minihub.errors import HubError
from minihub.xet.cas import Cas
from minihub.xet.hashes import to_hex
from minihub.xet.shards import FileInfo, Term
from minihub.xet.xorbs import Chunk

Address = Callable[[bytes, int, int], str]  # xorb, first and last byte -> where to fetch them


def reconstruction(cas: Cas, info: FileInfo, span: tuple[int, int], address: Address) -> dict[str, Any]:
    """The terms that cover the bytes `span[0]` to `span[1]` of a file."""
    start, end = span
    if start >= end and info.size:
        message = f"The range begins at byte {start} of a file of {info.size} bytes."
        raise HubError(message, status=416)
    terms: list[dict[str, Any]] = []
    fetches: dict[bytes, set[tuple[int, int]]] = {}
    offset = at = 0
    for term in info.terms:
        if at < end and at + term.size > start:
            chunks = cas.xorb(term.xorb).chunks
            part, skipped = _part(term, chunks, max(start - at, 0), min(end - at, term.size))
            offset = offset if terms else max(start - at, 0) - skipped
            terms.append(_term_json(part))
            fetches.setdefault(part.xorb, set()).add((part.start, part.end))
        at += term.size
    return {
        "offset_into_first_range": offset,
        "terms": terms,
        "fetch_info": {
            to_hex(xorb): [_fetch_json(cas, xorb, span, address) for span in join_spans(spans)]
            for xorb, spans in fetches.items()
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


def join_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans without overlap: of two that begin alike, the client would take the shorter for both."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start < result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def _fetch_json(cas: Cas, xorb: bytes, span: tuple[int, int], address: Address) -> dict[str, Any]:
    chunks = cas.xorb(xorb).chunks
    first, last = chunks[span[0]].offset, chunks[span[1] - 1].end - 1
    return {
        "range": {"start": span[0], "end": span[1]},
        "url": address(xorb, first, last),
        "url_range": {"start": first, "end": last},
    }
