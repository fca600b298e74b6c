"""Whether weights are as they were when a copy of them was made.

Weights can be changed by whoever holds them: through `.data`, through numpy, in another process. Nothing
counts such changes, and to compare all weights would take longer than a second of sound. But whoever holds a
parameter was given it by its module, which `Sealed` notices, or had it before, which `is_held` counts. So
what nobody held when the copy was made, and nobody has been given since, has not changed.

Memory that torch did not take itself, such as an array of numpy's or a mapped file, always has another
holder, which nothing counts; but for that of our own files (`vouch_for`).

What is beyond this are bare addresses, `data_ptr()`, kept and written to when the parameter itself is let go,
and ways round Python's own reading of a dictionary: `gc`, `dict.values(...)`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from weakref import getweakrefcount

import torch
from torch import Tensor, nn

_OWN = "_beats_own"


class _Reader(threading.local):
    """Whether what this thread reads is for a copy, and does not count as given away."""

    quiet = False


_reader = _Reader()


@contextmanager
def reading_quietly() -> Iterator[None]:
    """Read weights without breaking seals; what was read must be let go again."""
    before, _reader.quiet = _reader.quiet, True
    try:
        yield
    finally:
        _reader.quiet = before


class Sealed(dict[str, Any]):
    """The parameters of one module; `broken` once somebody was given one of them, or put another there."""

    __slots__ = ("broken",)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__(parameters)
        self.broken = True

    def __getitem__(self, name: str) -> Any:
        """The parameter."""
        self._break()
        return super().__getitem__(name)

    def __setitem__(self, name: str, parameter: Any) -> None:
        """Put another there."""
        self._break()
        super().__setitem__(name, parameter)

    def __delitem__(self, name: str) -> None:
        """Take it out."""
        self._break()
        super().__delitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The parameter."""
        self._break()
        return super().get(name, default)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """All of them, held as long as they are looked at."""
        return self.copy().items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """All of them, held as long as they are looked at."""
        return self.copy().values()

    def copy(self) -> dict[str, Any]:
        """A plain dictionary."""
        self._break()
        return super().copy()

    def __iter__(self) -> Iterator[str]:
        """The names; that it is written here makes `dict(...)` and `{**...}` ask for each parameter."""
        return super().__iter__()

    def __reduce_ex__(self, protocol: object) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Copied and saved as what it stands for."""
        return dict, (self.copy(),)

    def __or__(self, other: Any) -> dict[str, Any]:  # type: ignore[override]
        """A plain dictionary."""
        return {**self.copy(), **other}

    def __ror__(self, other: Any) -> dict[str, Any]:  # type: ignore[override]
        """A plain dictionary."""
        return {**other, **self.copy()}

    def __ior__(self, other: Any) -> Sealed:  # type: ignore[override]
        """Put others there."""
        self.update(other)
        return self

    def update(self, *others: Any, **more: Any) -> None:
        """Put others there."""
        self._break()
        super().update(*others, **more)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The parameter, or put another there."""
        self._break()
        return super().setdefault(name, default)

    def pop(self, *args: Any) -> Any:
        """Take one out."""
        self._break()
        return super().pop(*args)

    def popitem(self) -> tuple[str, Any]:
        """Take one out."""
        self._break()
        return super().popitem()

    def clear(self) -> None:
        """Take all out."""
        self._break()
        super().clear()

    def _break(self) -> None:
        if not _reader.quiet:
            self.broken = True


def watch_parameters(module: nn.Module) -> Sealed:
    """The parameters that a module has itself, watched from now on; the seal is still to be set."""
    own = vars(module)["_parameters"]
    if not isinstance(own, Sealed):
        own = vars(module)["_parameters"] = Sealed(own)
    return own


def is_held(parameters: Sealed) -> bool:
    """Whether anybody but the module has one of them, a view of one, or the memory under it."""
    with reading_quietly():
        return any(_is_shared(parameters, name) for name in parameters if parameters[name] is not None)


def vouch_for(tensors: Iterable[Tensor]) -> None:
    """Takes the memory of these for nobody else's: it is of a file that was read, and read-only."""
    for tensor in tensors:
        setattr(tensor.untyped_storage(), _OWN, True)


def take_over(tensors: Iterable[Tensor]) -> None:
    """Gives those that lie in memory of somebody else, as after unpickling, memory of their own."""
    for tensor in tensors:
        if tensor.is_shared():  # type: ignore[no-untyped-call]
            continue  # with other processes, on purpose
        if tensor.device.type == "cpu" and _is_foreign(tensor.untyped_storage()):
            tensor.data = tensor.data.clone()


def _is_shared(parameters: Sealed, name: str) -> bool:
    shared = parameters[name].is_shared() or _is_foreign(parameters[name].untyped_storage())
    return shared or _references(parameters, name) != _alone()


def _is_foreign(memory: torch.UntypedStorage) -> bool:
    """Whether somebody else gave it: what torch takes itself, it can resize."""
    return not (memory.resizable() or hasattr(memory, _OWN))


def _references(parameters: dict[str, Any], name: str) -> tuple[int, ...]:
    """How often a parameter and its memory are referred to: by Python, weakly, and by C++."""
    parameter = parameters[name]
    memory = parameter.untyped_storage()
    return (
        *(sys.getrefcount(parameter), getweakrefcount(parameter), parameter._use_count()),  # noqa: SLF001
        *(sys.getrefcount(memory), getweakrefcount(memory)),
        torch._C._storage_Use_Count(memory._cdata),  # noqa: SLF001
    )


@lru_cache(maxsize=1)
def _alone() -> tuple[int, ...]:
    """The references to a parameter that nobody has but its module."""
    return _references(Sealed({"alone": nn.Parameter(torch.zeros(1))}), "alone")
