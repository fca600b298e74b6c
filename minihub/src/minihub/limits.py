"""Rate limits, off unless asked for: requests in a window of five minutes, commits in an hour."""

import threading
import time
from collections import defaultdict, deque

from minihub.errors import HubError

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

    def count_request(self, who: str) -> None:
        """One more request; refuses it when there were too many."""
        if self.requests is None:
            return
        window, left_s = int(time.time() // WINDOW_S), int(WINDOW_S - time.time() % WINDOW_S)
        with self._lock:
            start, count = self._windows.get(who, (window, 0))
            count = count + 1 if start == window else 1
            self._windows[who] = (window, count)
        if count > self.requests:
            message = f"You have sent more than {self.requests} requests in {WINDOW_S} s. Wait {left_s} s."
            raise HubError(message, status=429, headers=self._headers(left_s))

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
                raise HubError(message, status=429, headers={"Retry-After": str(HOUR_S)})
            recent.append(now)

    def _headers(self, left_s: int) -> dict[str, str]:
        return {
            "RateLimit": f'"api";r=0;t={left_s}',
            "RateLimit-Policy": f'"fixed window";"api";q={self.requests};w={WINDOW_S}',
            "Retry-After": str(left_s),
        }
