"""What a model is made of, but for its numbers: its parts, their settings, methods and hooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import is_
from types import FunctionType
from typing import Any, TypeVar

from torch import nn
from torch.nn.modules import module as hooks_of_all

Kind = TypeVar("Kind", bound=type[nn.Module])
Methods = dict[str, object]


def _methods(kind: type[nn.Module]) -> Methods:
    return {name: own for name, own in vars(kind).items() if isinstance(own, FunctionType | property)}


# As they are computed with, before anybody has put other methods there.
_PARTS = (nn.Linear, nn.LayerNorm, nn.Conv2d, nn.Sequential, nn.ModuleList)
_PLAIN: dict[type[nn.Module], Methods] = {kind: _methods(kind) for kind in _PARTS}


def as_built(kind: Kind) -> Kind:
    """A class of parts of which the fast form knows what they compute: by these methods and no others."""
    _PLAIN[kind] = _methods(kind)
    return kind


class Structure:
    """A model's parts as they are now.

    Args:
        model: The model.
        heads: The name of a child that does not matter.
    """

    def __init__(self, model: nn.Module, heads: str = "heads") -> None:
        parts = [part for name, child in model.named_children() if name != heads for part in child.modules()]
        self._parts, self._kinds = parts, [type(part) for part in parts]
        self._methods = [(kind, _methods(kind)) for kind in {type(model), *self._kinds}]
        # Not the model itself: what is kept with it must not keep it.
        self._settings = [(vars(part), [*vars(part).values()]) for part in (model, *parts)]
        self._children = [(part._modules, [*part._modules.values()]) for part in (model, *parts)]  # noqa: SLF001
        self._hooks: list[dict[int, Any]] = [hooks for part in (model, *parts) for hooks in _hooks(part)]
        self._hooks += [hooks_of_all._global_forward_hooks, hooks_of_all._global_forward_pre_hooks]  # noqa: SLF001
        self._is_plain = _are_plain((model, *parts))

    def is_plain(self) -> bool:
        """Whether every part is what it was built as, and infers: adapters are not, nor parts with hooks."""
        return self._is_plain and not any(self._hooks)

    def is_unchanged(self) -> bool:
        """Whether it is still this: no part was exchanged, and no setting or method of a part."""
        return (
            all(_methods(kind) == methods for kind, methods in self._methods)
            and [type(part) for part in self._parts] == self._kinds
            and all(_same(now.values(), then) for now, then in self._children)
            and all(_same(now.values(), then) for now, then in self._settings)
        )


def _same(now: Iterable[object], then: Sequence[object]) -> bool:
    """Whether these are the very same objects, whatever they think of being equal."""
    now = [*now]
    return len(now) == len(then) and all(map(is_, now, then))


def _hooks(part: nn.Module) -> tuple[dict[int, Any], dict[int, Any]]:
    return part._forward_hooks, part._forward_pre_hooks  # noqa: SLF001


def _are_plain(parts: Iterable[nn.Module]) -> bool:
    return all(
        not part.training
        and _methods(type(part)) == _PLAIN.get(type(part))
        and not any(callable(getattr(type(part), name, None)) for name in vars(part))
        for part in parts
    )
