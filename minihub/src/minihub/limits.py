"""Rate limits, off unless asked for: requests in a window of five minutes, commits in an hour."""

import threading
import time
from collections import defaultdict, deque

from minihub.errors import HubError, TooManyRequestsError

WINDOW_S = 300
HOUR_S = 3600


class Limits:
    """Counts requests by who asks, and commits by repository; None means no bound."""

    def __init__(self, *, requests: int | None = None, commits_per_hour: int | None = None) -> None:
        self.requests = requests
        self.commits_per_hour = commits_per_hour
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, int]] = {}
        self._commits: defaultdict[int, deque[float]] = defaultdict(deque)

    def count_request(self, who: str) -> dict[str, str]:
        """One more request: the headers that tell how many are left; refuses it when there were too many."""
        if self.requests is None:
            return {}
        window, left_s = int(time.time() // WINDOW_S), int(WINDOW_S - time.time() % WINDOW_S)
        with self._lock:
            start, count = self._windows.get(who, (window, 0))
            count = count + 1 if start == window else 1
            self._windows[who] = (window, count)
        if count > self.requests:
            message = f"You have sent more than {self.requests} requests in {WINDOW_S} s. Wait {left_s} s."
            raise TooManyRequestsError(message, headers=self._headers(0, left_s))
        return self._headers(self.requests - count, left_s)

    def count_commit(self, repo: int) -> None:
        """One more commit; refuses it when there were too many."""
        if self.commits_per_hour is None:
            return
        now = time.monotonic()
        with self._lock:
            recent = self._commits[repo]
            while recent and recent[0] < now - HOUR_S:
                recent.popleft()
            if len(recent) >= self.commits_per_hour:
                bound = self.commits_per_hour
                message = f"You have exceeded the rate limit for repository commits ({bound} per hour)."
                raise HubError(message, status=429)  # nothing says how long, as on the real Hub
            recent.append(now)

    def _headers(self, left: int, left_s: int) -> dict[str, str]:
        return {
            "RateLimit": f'"api";r={left};t={left_s}',
            "RateLimit-Policy": f'"fixed window";"api";q={self.requests};w={WINDOW_S}',
        }
