"""How much a value holds, with all that it shares counted as often as it is named, and what to show."""

from __future__ import annotations

import reprlib
from typing import Any

MOST = 1_000_000
DEEPEST = 50
_LONGEST_NUMBER = 200  # bits; Python refuses to write those of 4,300 digits
_PLAIN = (bool, float, complex, bytes, type(None))


def find_excess(value: object, most: int = MOST) -> str:
    """What there is too much of in a value; empty where that is sane; a cycle has no end."""
    waiting, count = [(value, 0)], 1
    while waiting:
        here, depth = waiting.pop()
        if isinstance(here, dict):
            size, inner = 2 * len(here), [*as_plain(here).keys(), *as_plain(here).values()]
        elif isinstance(here, list | tuple | set | frozenset):
            size, inner = len(here), [*here]
        else:
            continue
        count += size
        if depth >= DEEPEST:
            return f"lists within lists, more than {DEEPEST} deep"
        if count > most:
            return f"more than {most:,} values, counted as often as they are named"
        waiting += [(one, depth + 1) for one in inner]
    return ""


def as_plain(table: dict[Any, Any]) -> dict[object, object]:
    """A table of a plain type: one that was unpickled may have attributes in the place of its methods."""
    return table if type(table) is dict else dict(dict.items(table))


class _Shown(reprlib.Repr):
    """A repr that never walks through more than a few values."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 2, 200, 60
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 4

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002 - as the parent has it
        """Of a number that has more digits than anybody reads, its length."""
        return repr(x) if x.bit_length() <= _LONGEST_NUMBER else f"a number of {x.bit_length():,} bits"

    def repr_instance(self, x: object, level: int) -> str:  # noqa: ARG002
        """Of anything else, its type: a tensor's own repr computes."""
        return repr(x)[: self.maxother] if isinstance(x, _PLAIN) else f"a {type(x).__name__}"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """The first entries, in their order: to sort them would compare them all."""
        if level <= 0:
            return "{...}"
        pairs = [
            f"{self.repr1(k, level - 1)}: {self.repr1(x[k], level - 1)}" for k in list(x)[: self.maxdict]
        ]
        return "{" + ", ".join(pairs + ["..."] * (len(x) > self.maxdict)) + "}"


_SHOWN = _Shown()


def shown(value: object) -> str:
    """A value as a message shows it, in some hundred letters at most."""
    return _SHOWN.repr(value)[:300]
