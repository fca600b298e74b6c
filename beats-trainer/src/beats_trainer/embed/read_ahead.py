"""Recordings are read by several threads ahead of the model, which gets them in their order all the same."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from beats_trainer.recordings.reading import Clip, Ended
from beats_trainer.recordings.sources import Source

Item = Clip | Ended
Read = Callable[[Source], Iterator[Item]]
LANES_AHEAD = 4096


@dataclass(eq=False)
class _Lane:
    """What has been read of one recording and not been taken yet."""

    items: deque[Item] = field(default_factory=deque)
    closed: bool = False


class Ahead:
    """Iterates over the clips of recordings in their order, while `workers` threads read on.

    Args:
        sources: The recordings.
        read: Reads one; its errors come out of the iteration.
        share: How much of a call of the model an item makes; one call's worth may wait decoded.
        workers: Threads.
    """

    def __init__(
        self, sources: Iterable[Source], read: Read, share: Callable[[Item], float], workers: int = 2
    ) -> None:
        self._sources, self._read, self._share = iter(sources), read, share
        self._change = threading.Condition()
        self._lanes: deque[_Lane] = deque()
        self._held, self._busy, self._stopped = 0.0, workers, False
        self._error: BaseException | None = None
        self.waited_s = 0.0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Ahead:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._stopped = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[Item]:
        while (item := self._take()) is not None:
            yield item

    @property
    def ready(self) -> bool:
        """Whether the next item can be had without waiting."""
        with self._change:
            return bool(self._lanes) and bool(self._lanes[0].items)

    def _take(self) -> Item | None:
        began = time.perf_counter()
        with self._change:
            while not self._ready():
                self._change.wait()
            self.waited_s += time.perf_counter() - began
            if self._error is not None:
                raise self._error
            if not self._lanes:
                return None
            item = self._lanes[0].items.popleft()
            self._held -= self._share(item)
            self._change.notify_all()
            return item

    def _ready(self) -> bool:
        while self._lanes and self._lanes[0].closed and not self._lanes[0].items:
            self._lanes.popleft()
            self._change.notify_all()
        if self._error is not None:
            return True
        return bool(self._lanes[0].items) if self._lanes else not self._busy

    def _work(self) -> None:
        try:
            while (begun := self._begin()) is not None:
                lane, source = begun
                for item in self._read(source):
                    if not self._put(lane, item):
                        return
                with self._change:
                    lane.closed = True
                    self._change.notify_all()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the items are taken
            self._error = error
        finally:
            with self._change:
                self._busy -= 1
                self._change.notify_all()

    def _begin(self) -> tuple[_Lane, Source] | None:
        """The next recording and its place in the order."""
        with self._change:
            while len(self._lanes) > LANES_AHEAD and not self._stopped:
                self._change.wait()
            source = None if self._stopped else next(self._sources, None)
            if source is None:
                return None
            self._lanes.append(_Lane())
            return self._lanes[-1], source

    def _put(self, lane: _Lane, item: Item) -> bool:
        """Wait for room; the recording whose turn it is always gets some, or nothing would move again."""
        with self._change:
            while self._held >= 1 and not (lane is self._lanes[0] and not lane.items):
                if self._stopped:
                    return False
                self._change.wait()
            if self._stopped:
                return False
            lane.items.append(item)
            self._held += self._share(item)
            self._change.notify_all()
            return True
