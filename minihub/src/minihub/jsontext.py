"""JSON of requests, strictly: what comes out can be stored, compared and sent back."""

import json
import re
from typing import Any

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes) -> Any:
    """The value that `data` stands for.

    Raises:
        ValueError: it is not JSON in UTF-8, or holds half a character, or a number that is none.
        RecursionError: it is nested too deeply.
    """
    text = data.decode()
    value = json.loads(text, parse_constant=_refuse_constant)
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()  # raises for a half that has no other half
    return value


def _refuse_constant(name: str) -> None:
    message = f"{name} is not JSON."
    raise ValueError(message)
