"""What is wrong with a recording, in one word each and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "truncated",
    "damaged",
    "unended",
    "stale",
    "zero_tail",
    "leftover",
    "empty",
    "short",
    "silent",
    "clipped",
    "dead_channel",
    "cancelling",
    "offset",
    "nan",
    "undecodable",
    "duplicate",
    "unreadable",
    "changed",
    "metadata",
]
KINDS: tuple[str, ...] = get_args(Kind)

# Something that was asked for is not in the table.
FAILURES = frozenset({"empty", "nan", "undecodable", "unreadable", "changed"})
# Sound that was recorded is not there: `--strict` stops at these too.
LOSSES = FAILURES | {"truncated", "damaged"}
# Need no change of the file to be mended: an extra, a network, a permission. The next run tries again.
PASSING = frozenset({"unreadable", "changed"})


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"
