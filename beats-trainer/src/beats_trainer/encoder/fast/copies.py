"""Copies of weights, laid out anew: made when needed, and used only while they are known to be current."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from beats_trainer.encoder.fast.seal import is_held, reading_quietly, watch_parameters


class LaidOut:
    """A part that is computed from copies of some modules' weights.

    Args:
        modules: Whose weights they are.
        lay_out: Makes the part.
    """

    def __init__(self, modules: Iterable[nn.Module], lay_out: Callable[[], Any]) -> None:
        self._weights, self._lay_out = [watch_parameters(module) for module in modules], lay_out
        self.part: Any = None

    def is_current(self) -> bool:
        """Whether there is one, with the weights as they are."""
        return self.part is not None and not any(weights.broken for weights in self._weights)

    def seal(self) -> bool:
        """Forget the part, and notice who is given a weight from now on; false if somebody has one."""
        self.part = None
        for weights in self._weights:
            weights.broken = False
        return not any(is_held(weights) for weights in self._weights)

    def renew(self) -> None:
        """Take the weights as they are."""
        with reading_quietly():
            self.part = self._lay_out()


def are_current(copies: Iterable[LaidOut]) -> bool:
    """Whether all of them are."""
    return all(copy.is_current() for copy in copies)


def refresh_copies(copies: Iterable[LaidOut]) -> list[Any]:
    """The parts, laid out anew where weights may have changed.

    Nothing if somebody holds weights: of these it could not be known later whether they changed.
    """
    copies = list(copies)
    stale = [copy for copy in copies if not copy.is_current()]
    free = [copy.seal() for copy in stale]  # each of them, so that no copy stays that is of no use
    if not all(free):
        return []
    for copy in stale:
        copy.renew()
    return [copy.part for copy in copies]
