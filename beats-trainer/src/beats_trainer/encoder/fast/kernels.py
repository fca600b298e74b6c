"""The one door to oneDNN's operators, which torch does not document; behind it stands a public fallback.

They are looked for, compared with the public operators and timed against them once a process and precision:
where MKL is as fast as oneDNN in float32, oneDNN may still be faster in bfloat16. `BEATS_KERNELS` set to
`public` or `onednn` settles it instead.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

_log = logging.getLogger(__name__)
VARIABLE = "BEATS_KERNELS"
Kernels = Literal["public", "onednn"]
_PROBE_SHAPE = (256, 768, 768)  # rows, inputs, outputs: large enough to tell, small enough for milliseconds
# Of values of about 28 that reach 150; a wrong operator is off by far more. One step of bfloat16 is 1 there.
_PROBE_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 4.0}
# Rows of a product in bf16 that oneDNN leaves to one thread: 496 x 3,072 x 768 takes 2.6 ms on 2, and 1.6 ms
# in parts. Fewer rows, and more of them, it deals out.
PART, IN_PARTS = 256, range(385, 1_281)


class Linear(Protocol):
    """A linear layer whose weight is laid out for the machine."""

    def __call__(self, x: Tensor, *, gelu: bool = False, add: Tensor | None = None) -> Tensor:
        """`(rows, inputs)` -> `(rows, outputs)`, then GELU, or then `add` on top."""


class PublicLinear:
    """What every build of torch can do."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias, self.dtype = weight, bias, weight.dtype

    def __call__(self, x: Tensor, *, gelu: bool = False, add: Tensor | None = None) -> Tensor:
        """`(rows, inputs)` -> `(rows, outputs)`."""
        y = functional.linear(x.to(self.dtype), self.weight, self.bias)
        y = functional.gelu(y) if gelu else y
        return y if add is None else add + y


class OneDnnLinear:
    """The weight in oneDNN's own layout, and what follows the product fused into it."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = torch.ops.mkldnn._reorder_linear_weight(weight), bias  # noqa: SLF001
        self.dtype = weight.dtype

    def __call__(self, x: Tensor, *, gelu: bool = False, add: Tensor | None = None) -> Tensor:
        """`(rows, inputs)` -> `(rows, outputs)`; what is added keeps its precision."""
        x = x.to(self.dtype)
        if add is None:
            return self._run(x, "gelu" if gelu else "none")
        if add.dtype != self.dtype:
            return self._added(x, add)
        fused = torch.ops.mkldnn._linear_pointwise.binary  # noqa: SLF001
        return fused(x, add, self.weight, self.bias, "add")  # type: ignore[no-any-return]

    def _added(self, x: Tensor, add: Tensor) -> Tensor:
        rows = PART if len(x) in IN_PARTS and _parts_pay(torch.get_num_threads()) else len(x)
        return self.added(x, add, rows)

    def added(self, x: Tensor, add: Tensor, rows: int) -> Tensor:
        """The product and `add`, which has another precision; so many rows at a time."""
        total = torch.empty_like(add)
        for start in range(0, len(x), rows):
            at = slice(start, start + rows)
            torch.add(add[at], self._run(x[at], "none"), out=total[at])
        return total

    def _run(self, x: Tensor, after: str) -> Tensor:
        run = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
        return run(x, self.weight, self.bias, after, [], "none" if after == "gelu" else "")  # type: ignore[no-any-return]


_KINDS: dict[Kernels, Callable[[Tensor, Tensor | None], Linear]] = {
    "public": PublicLinear,
    "onednn": OneDnnLinear,
}


def fastest_linear(weight: Tensor, bias: Tensor | None, dtype: torch.dtype = torch.float32) -> Linear:
    """A linear layer on the fastest kernel that this machine has, in float32 or bfloat16.

    It has copies of parameters; other tensors are given to it to keep.
    """
    kind = chosen_kernels(dtype)
    laid = weight.to(dtype) if kind == "onednn" else _own(weight, dtype)  # oneDNN's layout is a copy anyway
    return _KINDS[kind](laid, None if bias is None else _own(bias, dtype))


def _own(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return weight.to(dtype, copy=isinstance(weight, nn.Parameter))


def chosen_kernels(dtype: torch.dtype = torch.float32) -> Kernels:
    """Which kernels are used in a precision: those of `BEATS_KERNELS`, or the faster."""
    said = os.environ.get(VARIABLE, "auto")
    if said == "auto":
        return _probed(dtype)
    for kind in _KINDS:
        if said == kind:
            _refuse_missing(kind, dtype)
            return kind
    message = f"{VARIABLE} is {said!r}; expected auto, {' or '.join(_KINDS)}."
    raise ValueError(message)


@lru_cache
def _refuse_missing(kind: Kernels, dtype: torch.dtype) -> None:
    if kind == "public" or can_onednn(dtype):
        return
    message = (
        f"{VARIABLE} is {kind!r}, and this processor or this torch has no such kernels in {dtype}. "
        "Take auto, or public."
    )
    raise ValueError(message)


@lru_cache
def can_onednn(dtype: torch.dtype) -> bool:
    """Whether oneDNN's products can be had in a precision here."""
    try:
        OneDnnLinear(torch.zeros(16, 16, dtype=dtype), None)(torch.zeros(1, 16, dtype=dtype))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return True


@lru_cache
def bfloat16_pays() -> bool:
    """Whether a product in bfloat16 is no slower than one in float32 on this processor, measured once."""
    rows, inputs, outputs = _PROBE_SHAPE
    x, weight = torch.ones(rows, inputs), torch.ones(outputs, inputs)
    exact, rounded = (
        partial(fastest_linear(weight, None, dtype), x.to(dtype)) for dtype in (torch.float32, torch.bfloat16)
    )
    return _faster(rounded, exact)


@lru_cache
def _probed(dtype: torch.dtype) -> Kernels:
    """OneDNN where the processor has AVX-512, if it is there and right.

    With AVX-512 it was faster on every processor that was measured, with AVX2 alone 1.45 times slower. A race
    of the two would choose by what else the machine does, and with it the last bits.
    """
    if not torch.backends.mkldnn.is_available() or not _has_avx512():  # type: ignore[no-untyped-call]
        return "public"
    try:
        error = _difference(dtype)
    except (AttributeError, RuntimeError, TypeError) as failure:
        _log.info("oneDNN's linear is not usable with this torch: %s", failure)
        return "public"
    chosen: Kernels = "onednn" if error < _PROBE_TOLERANCE[dtype] else "public"
    _log.debug("kernels in %s: %s (oneDNN's difference %.1e)", dtype, chosen, error)
    return chosen


def _has_avx512() -> bool:
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def _difference(dtype: torch.dtype) -> float:
    """How far oneDNN's results are off, with all that it fuses."""
    rows, inputs, outputs = _PROBE_SHAPE
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, inputs, generator=generator).to(dtype) for n in (rows, outputs))
    public, onednn = (kind(weight, weight[:, 0].contiguous()) for kind in (PublicLinear, OneDnnLinear))
    return max(
        float((onednn(x, **extra) - public(x, **extra)).abs().max())
        for extra in ({}, {"gelu": True}, {"add": x})
    )


@lru_cache
def _parts_pay(threads: int) -> bool:
    """Whether a product in bf16 is faster in parts, with so many threads; one never waits for another."""
    if threads == 1:
        return False
    generator = torch.Generator().manual_seed(0)
    weight, x = (torch.randn(n, 768, generator=generator).bfloat16() for n in (768, 2 * PART))
    product, add = OneDnnLinear(weight, None), x.float()
    return _faster(partial(product.added, x, add, PART), partial(product.added, x, add, len(x)))


def _faster(one: Callable[[], Any], other: Callable[[], Any], n: int = 5) -> bool:
    """In turn, so that what else the machine does hits both alike."""
    times = [(_seconds(one), _seconds(other)) for _ in range(n)]
    return min(first for first, _ in times) <= min(second for _, second in times)


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
