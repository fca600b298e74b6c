"""What no message may show: tokens, passwords in addresses, and what a signed address is signed with."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 8  # characters: to hide less would make holes in words
PASSWORD = re.compile(r"(?<=//)[^/\s'\"]*@")
# Bounded: a text of many addresses that never end would otherwise be searched from each of them to its end.
SIGNED = re.compile(r"(https?://[^\s?'\"]{1,2000}|\burl: /[^\s?'\"]{0,2000})\?[^\s'\")]+")

_hidden: set[str] = set()


def conceal(secret: str) -> None:
    """Hides a secret, in any form that a message may have it in, from now on."""
    if len(secret) >= SHORTEST:
        _hidden.update(_forms(secret))


def veiled(text: str) -> str:
    """A text without what no message may show."""
    for form in sorted(_hidden, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return SIGNED.sub(r"\1?" + HIDDEN, PASSWORD.sub(f"{HIDDEN}@", text))


def veil_causes(error: BaseException | None) -> None:
    """Hides it in an error and in all that lie behind it, which a traceback shows, too."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.args = tuple(veiled(part) if isinstance(part, str) else part for part in error.args)
        error = error.__cause__ or error.__context__


def _forms(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogateescape")
    yield from (secret, quote(data, safe=""), quote_plus(data), repr(secret)[1:-1], data.hex())
    yield from (repr(data)[2:-1], secret.encode("unicode_escape").decode("ascii"))
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + data)
        # Only the digits that no neighbour has a part in: such as of `USER:` before it.
        inner = whole[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6].decode("ascii")
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
