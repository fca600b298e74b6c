"""How far a run has come, as numbers; whoever shows them decides how."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """The state of a run; `bytes` is what there was to do, `bytes_begun` what is done of the next one."""

    recordings: int
    bytes: int
    recordings_done: int = 0
    bytes_done: float = 0.0
    bytes_begun: float = 0.0
    clips: int = 0
    audio_s: float = 0.0
    waited_s: float | None = None
    _began: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    @property
    def clips_per_s(self) -> float:
        """Clips that are embedded in a second."""
        return self.clips / max(self.elapsed_s, 1e-9)

    @property
    def x_real_time(self) -> float:
        """Seconds of sound that are embedded in a second."""
        return self.audio_s / max(self.elapsed_s, 1e-9)

    @property
    def waited_share(self) -> float | None:
        """The share of the time in which the model had nothing to do because nothing was decoded.

        None where that is not known: of the actors of a cluster.
        """
        return None if self.waited_s is None else self.waited_s / max(self.elapsed_s, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds that it will still take, or None while that cannot be known."""
        done = self.bytes_done + self.bytes_begun
        return self.elapsed_s * max(0.0, self.bytes - done) / done if done > 0 else None

    def __str__(self) -> str:
        left = f", {clock(self.left_s)} left" if self.left_s is not None else ""
        return (
            f"{self.recordings_done:,}/{self.recordings:,} recordings, {self.clips:,} clips, "
            f"{self.clips_per_s:.1f} clips/s, {self.x_real_time:.0f} x real time{left}"
        )


Callback = Callable[[Progress], None]


def clock(seconds: float) -> str:
    """`1:02:03`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
