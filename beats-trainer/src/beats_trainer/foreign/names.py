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
