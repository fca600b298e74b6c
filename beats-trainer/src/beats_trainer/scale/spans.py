"""Which clips of a recording are done: ranges of whole numbers, kept sorted and disjoint."""

from __future__ import annotations

from collections.abc import Iterable


class Spans:
    """A set of whole numbers as `[start, stop)` ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.ranges: list[tuple[int, int]] = []
        for start, stop in ranges:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Put in every number from `start` up to, not including, `stop`."""
        if start >= stop:
            return
        apart = [r for r in self.ranges if r[1] < start or r[0] > stop]
        touching = [r for r in self.ranges if r not in apart]
        first = min([start, *(r[0] for r in touching)])
        last = max([stop, *(r[1] for r in touching)])
        self.ranges = sorted([*apart, (first, last)])

    def __contains__(self, number: int) -> bool:
        return any(start <= number < stop for start, stop in self.ranges)

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(tuple(self.ranges))

    def __repr__(self) -> str:
        return f"Spans({self.ranges})"
