"""JSON of requests, strictly: what comes out can be stored, compared and sent back."""

import json
import math
import re
from typing import Any

MAX_DEPTH = 64  # lists and objects inside one another; deeper ones could not be shown in a message

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes) -> Any:
    """The value that `data` stands for.

    Raises:
        ValueError: it is not JSON in UTF-8, is nested too deeply, or holds half a character, or a number
            that is none or too large.
    """
    text = data.decode()
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise _too_deep() from error
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _require_shallow(value)
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()  # raises for a half that has no other half
    return value


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [below for item in level for below in _inside(item)]
        if not level:
            return
    raise _too_deep()


def _inside(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []


def _too_deep() -> ValueError:
    return ValueError(f"It has more than {MAX_DEPTH} lists and objects inside one another.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        _refuse_constant(text[:40])
    return number


def _refuse_constant(name: str) -> None:
    message = f"{name} is not JSON."
    raise ValueError(message)
