"""Names of files that others chose, which must mean one file in one folder on every system."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 255  # bytes, of a name in any common file system
_UNFIT = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\..*)?", re.IGNORECASE)


def is_plain(name: str) -> bool:
    """Whether this is the name of a file, and nothing that leads elsewhere."""
    if not name or name[-1] in ". " or _UNFIT.search(name) or _DEVICES.fullmatch(name):
        return False  # Windows drops a dot or a blank at the end: what is left is another name
    return len(name.encode()) <= LONGEST


def alike(name: str) -> str:
    """What names have in common that some system takes for one another, by case or by composed letters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def is_inner(path: str) -> bool:
    """Whether a relative path, written with slashes, stays inside the folder that it begins in."""
    return all(is_plain(part) for part in path.split("/"))


# Bytes of no encoding, and what a terminal would obey: control characters, and those that turn text around.
_OBEYED = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
_RAW = re.compile(_OBEYED + r"|\\(?=x[0-9a-f]{2})")
_SHOWN = re.compile(_OBEYED.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))  # a tab and a line end may stay
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escaped(name: str) -> str:
    r"""A name as text that can be written, shown and compared anywhere: `caf\xe9.wav`.

    What is no UTF-8, and what a terminal would obey, is written as bytes; `unescaped` brings the name back.
    """
    return _RAW.sub(lambda found: _as_bytes(found[0]), name)


def unescaped(text: str) -> str:
    """The name that `escaped` made this of, as the file system knows it."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode()).decode(
        "utf-8", "surrogateescape"
    )


def printable(text: str) -> str:
    """A text for a terminal, which keeps its lines; names that are escaped already stay as they are."""
    return _SHOWN.sub(lambda found: _as_bytes(found[0]), text)


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _as_bytes(character: str) -> str:
    encoded = character.encode(
        "utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass"
    )
    return "".join(f"\\x{byte:02x}" for byte in encoded)
