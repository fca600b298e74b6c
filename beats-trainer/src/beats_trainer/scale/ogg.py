"""The last page of an Ogg file, which says whether the stream was ended or only stopped."""

from __future__ import annotations

import os
from pathlib import Path

_LARGEST_PAGE = 27 + 255 + 255 * 255
_END_OF_STREAM = 4


def ogg_damage(path: str | Path) -> str | None:
    """Why an Ogg file is not whole, or None if its last page is there and ends the stream."""
    with Path(path).open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 2 * _LARGEST_PAGE))
        tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return f"no Ogg page in its last {len(tail)} bytes"
    header = tail[at : at + 27]
    if len(header) < 27:
        return "the file stops inside the header of a page"
    segments = tail[at + 27 : at + 27 + header[26]]
    missing = 27 + header[26] + sum(segments) - (len(tail) - at)
    if len(segments) < header[26] or missing > 0:
        return f"the last page lacks {max(missing, 1)} bytes"
    if not header[5] & _END_OF_STREAM:
        return "the last page does not end the stream"
    return None
