"""Keeps secrets out of what is shown: tokens in any form, what looks like one, passwords in addresses."""

import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

MASK = "***"
AROUND = 120  # letters of base64 that may stand before and behind a secret in it
SHORTEST = 4  # a shorter secret would mask half of every text
LOGGERS = ("dvc", "dvc_objects", "dvc_data", "huggingface_hub")
_LOOKS_LIKE_A_TOKEN = re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}")
# A user alone is shown where it is no secret: ssh://git@host.
_USER = re.compile(r"(?i)\b(https?://)[^/\s'\"]*@|\b([a-z][a-z0-9+.-]*://)[^/\s@:'\"]*:[^/\s'\"]*@")

_forms: dict[str, tuple[frozenset[str], re.Pattern[str]]] = {}


def remember_secret(secret: str) -> None:
    """Mask this from now on, in every form that a library may give it."""
    if len(secret) >= SHORTEST and secret not in _forms:
        plain = sorted(set(_spellings(secret)), key=len, reverse=True)
        parts = set(_base64_parts(secret))
        # Bounded on both sides: a Hub may send a long word, and without a bound each letter begins a search.
        around = rf"[\w+/-]{{0,{AROUND}}}"
        encoded = [f"{around}{re.escape(part)}{around}=*" for part in sorted(parts)]
        _forms[secret] = (
            frozenset({*plain, *parts}),
            re.compile("|".join([*map(re.escape, plain), *encoded])),
        )


def mask_secrets(text: str) -> str:
    """The text without secrets."""
    for forms, pattern in list(_forms.values()):
        if any(form in text for form in forms):
            text = pattern.sub(MASK, text)
    text = _LOOKS_LIKE_A_TOKEN.sub(MASK, text)
    return _USER.sub(lambda match: f"{match[1] or match[2]}{MASK}@", text)


def _spellings(secret: str) -> Iterator[str]:
    """As it is, percent-encoded, and as `repr`, JSON and a header's bytes show it."""
    for text in {secret, secret.strip()}:
        yield text
        yield quote(text, safe="", errors="replace")
        yield quote_plus(text, errors="replace")
        yield repr(text)[1:-1]
        yield repr(_bytes(text))[2:-1]
        yield json.dumps(text)[1:-1]


def _base64_parts(secret: str) -> Iterator[str]:
    """What base64 makes of a secret inside a longer text (`user:token`), at each of its three alignments."""
    raw = _bytes(secret)
    for before in range(3):
        whole = b64encode(bytes(before) + raw).decode()
        part = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(part) >= SHORTEST:
            yield part
            yield part.replace("+", "-").replace("/", "_")


def _bytes(text: str) -> bytes:
    """Bytes of a text that may come from an environment of another encoding."""
    return text.encode(errors="surrogateescape")


class MaskedFormatter(logging.Formatter):
    """What another formatter makes of a record, tracebacks included, without secrets."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Format the record."""
        return mask_secrets(self._inner.format(record))


def install_masks() -> None:
    """Mask all that the loggers of DVC and of the Hub's client write, whatever raised it."""
    for name in LOGGERS:
        for handler in logging.getLogger(name).handlers:
            if not isinstance(handler.formatter, MaskedFormatter):
                handler.setFormatter(MaskedFormatter(handler.formatter or logging.Formatter()))
