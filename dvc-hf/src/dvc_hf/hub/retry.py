"""When to ask again, and how long to wait before."""

import time
from collections.abc import Callable
from typing import TypeVar

from dvc_hf.hub.errors import asked_wait_s, is_transient, status_of
from dvc_hf.log import logger

WAITS_S = (1.0, 2.0, 4.0, 8.0, 8.0)
LONGEST_WAIT_S = 330.0  # the Hub counts requests in windows of five minutes
IN_VAIN_FOR_S = 60.0
IN_VAIN_AFTER_S = 10.0
Answer = TypeVar("Answer")


class Patience:
    """Whether a Hub is still worth waiting for: not where this process has just done so in vain."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether nobody should wait again yet."""
        return time.monotonic() < self._until

    def spend(self) -> None:
        """A Hub has been waited for, and did not come."""
        self._until = time.monotonic() + IN_VAIN_FOR_S

    def regain(self) -> None:
        """A Hub has answered."""
        self._until = 0.0


patience = Patience()


def wait_s(error: Exception, attempt: int) -> float | None:
    """Seconds to wait after this failure, or None to give up."""
    if not is_transient(error) or attempt >= len(WAITS_S):
        return None
    asked = asked_wait_s(error)
    if asked is None:
        return WAITS_S[attempt]
    return asked if asked <= LONGEST_WAIT_S else None


def retry_request(ask: Callable[[], Answer], what: str, arrived: Callable[[], int] = lambda: 0) -> Answer:
    """Ask; after a passing failure wait and ask again, a few times since more has arrived last.

    A Hub that has just been waited for in vain is not waited for again: DVC asks for one listing many times.
    """
    attempt = count = 0
    started = time.monotonic()
    while True:
        try:
            answer = ask()
        except Exception as error:
            if arrived() > count:
                attempt, count = 0, arrived()
            pause = wait_s(error, attempt)
            if pause is None or patience.is_spent:
                if is_transient(error) and time.monotonic() - started > IN_VAIN_AFTER_S:
                    patience.spend()
                raise
            announce_wait(error, what, pause)
            time.sleep(pause)
            attempt += 1
        else:
            patience.regain()
            return answer


def announce_wait(error: Exception, what: str, pause: float) -> None:
    """Tell the user of a wait that is longer than a moment."""
    status = status_of(error)
    reason = f"the Hub answered {status}" if status else type(error).__name__
    level = logger.warning if pause > WAITS_S[-1] else logger.debug
    level("%s: %s; trying again in %.0f s", what, reason, pause)
