"""Requests that are made again when the Hub or the network stumbles."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import TypeVar

from beats_trainer.hub.errors import HUB_ERRORS, is_transient, is_unreachable

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
WAITS_S = (1.0, 2.0, 4.0, 8.0)
LONGEST_WAIT_S = 60.0
RESET = re.compile(r"\bt=(\d+)")


def with_patience(
    request: Callable[[], Result], label: str, position: Callable[[], int] = lambda: 0
) -> Result:
    """Makes a request until it succeeds, fails for good, or has failed once more than there are waits.

    Args:
        request: Is called with nothing.
        label: What the log calls it.
        position: How far the request has come; whenever that grew, the count starts again.
    """
    failures, furthest = 0, position()
    while True:
        try:
            return request()
        except HUB_ERRORS as error:
            if position() > furthest:
                failures, furthest = 0, position()
            if not is_transient(error) or failures >= (1 if is_unreachable(error) else len(WAITS_S)):
                raise
            wait = asked_wait(error) or WAITS_S[failures]
            failures += 1
            logger.warning("%s: %s; trying again in %.0f s", label, type(error).__name__, wait)
            time.sleep(min(wait, LONGEST_WAIT_S))


def asked_wait(error: BaseException) -> float | None:
    """The seconds after which the Hub says to come again."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    after = str(headers.get("Retry-After", ""))
    if after.isdigit():
        return float(after)
    reset = RESET.search(str(headers.get("RateLimit", "")))
    return float(reset[1]) if reset and "r=0" in str(headers.get("RateLimit", "")) else None
