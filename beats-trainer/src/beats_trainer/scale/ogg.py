"""The last page of an Ogg file, which says whether the stream was ended, only stopped, or cut."""

from __future__ import annotations

import os
from pathlib import Path

from beats_trainer.scale.findings import Finding

_HEADER = 27  # bytes, then one for each segment: RFC 3533, section 6
_LARGEST_PAGE = _HEADER + 255 + 255 * 255
_END_OF_STREAM = 4
_GOES_ON = 255  # the size of a segment whose packet has another


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
