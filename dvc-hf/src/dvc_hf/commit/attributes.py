"""One rule of `.gitattributes` for all objects: else the Hub adds a line for each, until it refuses more."""

import re
from collections.abc import Iterable

FILE = ".gitattributes"
STORED = "filter=lfs diff=lfs merge=lfs -text"
_FOLDER = re.compile(r"(.*?files/md5)/[0-9a-f]{2}/[^/]+$")


def with_rule(text: bytes, objects: Iterable[str]) -> bytes:
    """The file with a rule for each folder that some objects lie in; the same where it has these already."""
    folders = sorted({found[1] for path in objects if (found := _FOLDER.match(path))})
    lines = text.decode("utf-8", "surrogateescape").splitlines()
    rules = [rule for rule in map(_rule, folders) if rule not in lines]
    if not rules:
        return text
    # First in the file, so that what its owner says of single names holds.
    return "".join(f"{line}\n" for line in [*rules, *lines]).encode("utf-8", "surrogateescape")


def _rule(folder: str) -> str:
    pattern = re.sub(r"[\[\]*?\\]", lambda found: f"\\{found[0]}", folder).replace(" ", "[[:space:]]")
    return f"{pattern}/** {STORED}"
