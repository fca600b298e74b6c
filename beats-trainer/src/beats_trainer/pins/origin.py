"""The address of a Hub, and its origin: to whom a token belongs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from beats_trainer.errors import PinError
from beats_trainer.foreign.measure import shown

# No character of it means anything else to another reader of addresses.
HOST = r"(?:[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])"
ENDPOINT = re.compile(rf"https?://(?:[^\s/?#@\\\x00-\x20]*@)?{HOST}(?::\d{{1,5}})?(?:/[A-Za-z0-9._~%/\-]*)?")
PORTS = {"http": 80, "https": 443}


def parse_endpoint(text: str, where: str) -> str:
    """Reads the address of a Hub.

    Args:
        text: The address.
        where: Which field of which file says so.

    Raises:
        PinError: It is none.
    """
    endpoint = text.rstrip("/")
    if ENDPOINT.fullmatch(endpoint) and origin_of(endpoint):
        return endpoint
    message = (
        f"{where} is no address of a Hub: expected https://HOST[:PORT][/PATH], got "
        f"{shown(text.rpartition('@')[2])}. Correct it, or leave it out for the default Hub."
    )
    raise PinError(message)


def origin_of(url: str) -> str:
    """`SCHEME://HOST:PORT` in lower case; empty where the url has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:  # a port that is no number, brackets without an end
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname and port else ""
