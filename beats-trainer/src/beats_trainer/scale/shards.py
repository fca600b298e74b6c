"""`K/N`: the part of the recordings that one of N machines takes."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, from 1."""

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def has(self, number: int) -> bool:
        """Whether the recording with this number belongs to it: each belongs to exactly one."""
        return number % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """Reads `K/N`."""
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.index <= shard.count:
        message = f"{text!r} is no shard. Expected K/N with K from 1 to N, for example 3/16."
        raise ValueError(message)
    return shard
