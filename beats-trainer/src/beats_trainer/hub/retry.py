"""Requests that are made again when the Hub or the network stumbles."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import TypeVar

from beats_trainer.hub.errors import HUB_ERRORS, is_transient, is_unreachable, status_of

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
WAITS_S = (1.0, 2.0, 4.0, 8.0)
LONGEST_WAIT_S = 330.0  # the Hub counts requests in windows of five minutes
LIMIT = re.compile(r"\br=(\d+)\s*;\s*t=(\d+)")  # what remains of a window, and the seconds until its end


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
            wait = WAITS_S[failures] if (asked := asked_wait(error)) is None else asked
            if wait > LONGEST_WAIT_S:
                raise
            failures += 1
            logger.warning("%s: %s; trying again in %.0f s", label, _reason(error), wait)
            time.sleep(wait)


def _reason(error: BaseException) -> str:
    status = status_of(error)
    return f"the Hub answered {status}" if status else type(error).__name__


def asked_wait(error: BaseException) -> float | None:
    """The seconds after which the Hub says to come again."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    limit = LIMIT.search(str(headers.get("RateLimit", "")))
    if limit and limit[1] == "0":
        return float(limit[2]) + 1  # they are whole seconds
    after = str(headers.get("Retry-After", ""))
    return float(after) + 1 if after.isdigit() else None
