"""What this machine's libraries reach on the encoder's products: no encoder on them can be faster."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

PATCHES = 496  # of a clip of 10 s
SHAPES = ((2328, 768), (768, 768), (3072, 768), (768, 3072))  # outputs and inputs of a layer's products
Clock = Callable[[], float]


def gemm_limits(clock: Clock) -> dict[str, float]:
    """GFLOP/s of oneDNN and of torch's usual product (MKL on x86): the best of many, over the shapes."""
    rates: dict[str, list[float]] = {"oneDNN": [], "torch": [], "oneDNN, bf16": []}
    for outputs, inputs in SHAPES:
        x, weight = torch.randn(PATCHES, inputs), torch.randn(outputs, inputs)
        runs = {
            "oneDNN": _onednn(x, weight),
            "torch": partial(functional.linear, x, weight),
            "oneDNN, bf16": _onednn(x.bfloat16(), weight.bfloat16()),
        }
        times = {name: min(_seconds(run, clock) for _ in range(30)) for name, run in runs.items()}
        for name, seconds in times.items():
            rates[name].append(2 * PATCHES * outputs * inputs / seconds / 1e9)
    # A layer spends its time in proportion to the work, so the shapes' rates are averaged by it.
    work = [outputs * inputs for outputs, inputs in SHAPES]
    return {name: statistics.harmonic_mean(found, work) for name, found in rates.items()}


def _onednn(x: torch.Tensor, weight: torch.Tensor) -> Callable[[], object]:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight)  # noqa: SLF001
    return partial(torch.ops.mkldnn._linear_pointwise, x, packed, None, "none", [], "")  # noqa: SLF001


def _seconds(run: Callable[[], object], clock: Clock) -> float:
    start = clock()
    run()
    return clock() - start


def wall() -> float:
    """Seconds that pass."""
    return time.perf_counter()


def busy() -> float:
    """Seconds that this thread computes, whatever else the machine does."""
    return time.thread_time()
