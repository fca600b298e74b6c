"""Which store a file goes to: the Hub keeps texts in git, and refuses binary files there."""

import re

LARGEST_TEXT = 10 * 1024 * 1024  # bytes: the Hub keeps no larger ones in git
SAMPLE = 512  # bytes: so many the Hub is shown
BINARY = bytes(SAMPLE)
_OBJECT = re.compile(r"(?:^|/)files/md5/[0-9a-f]{2}/[0-9a-f]{30}(?:\.dir)?$")
_CONTROL = re.compile(rb"[\x00-\x08]")  # what no text has: NUL first of all


def is_object(path: str) -> bool:
    """Whether a path is that of one of DVC's objects, which all go to the store."""
    return _OBJECT.search(path) is not None


def is_text(content: bytes) -> bool:
    """Whether a content is a text in UTF-8 from its first byte to its last, at which a letter may be cut."""
    return _binary_at(content) is None


def binary_part(content: bytes) -> bytes:
    """The part of a content in which it is seen to be binary; empty for a text."""
    at = _binary_at(content)
    return b"" if at is None else content[max(0, at - SAMPLE // 2) :][:SAMPLE]


def _binary_at(content: bytes) -> int | None:
    control = _CONTROL.search(content)
    if control:
        return control.start()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        is_cut = error.reason == "unexpected end of data"
        return None if is_cut else error.start
    return None
