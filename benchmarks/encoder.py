"""The encoder beside SpeechBrain's BEATs and the `openbeats` package, on the same untrained weights.

    python benchmarks/encoder.py [--json FILE] [--quick] [--cpu] [--others DIR]

All of it takes some ten minutes on two idle cores, --quick two. The two others are put into a folder of their
own, beside the torch that is installed, with pip, when they are not there. --cpu counts the CPU seconds of
one thread: use it where other work runs on the machine, which moves clocks but hardly this.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from beats_trainer.checkpoint.untrained import LARGE, write_untrained
from beats_trainer.encoder.fast.kernels import chosen_kernels
from encoders.contenders import Contender, install, load
from encoders.limits import Clock, busy, gemm_limits, wall

RATE = 16_000
HERE = Path(__file__).parent
NAMES = ("ours", "SpeechBrain", "openbeats")
RAGGED_S = (1, 2, 3.3, 5, 7.5, 10, 15.5, 30)  # 74.3 s
GFLOP_10_S = 98.6  # linears 84.3, attention 9.1, positional convolution 4.7, patches 0.5
Run = Callable[[], object]
Figures = dict[str, float]


def main() -> None:
    """Measure, print one table, write it as JSON where asked."""
    options = _options()
    install(options.others)
    sys.path.insert(0, str(options.others))
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    if options.cpu:
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        base = write_untrained(Path(folder, "base.pt"))
        large = write_untrained(Path(folder, "large.pt"), config=LARGE)
        report = measure(base, large, options)
    print_table(report)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument(
        "--others", type=Path, default=HERE.parent / "build" / "others", help="where they are"
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs, and without the slowest cases")
    parser.add_argument("--cpu", action="store_true", help="one thread, CPU seconds")
    return parser.parse_args()


def measure(base: Path, large: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every case: names of contenders to medians, in seconds or megabytes; said as they come."""
    clock = busy if options.cpu else wall
    models = {name: load(name, base) for name in NAMES}
    report: dict[str, Any] = {"machine": machine(), "unit": "CPU s of one thread" if options.cpu else "s"}
    report |= {"apart": apart(models), "gemm_gflop_s": gemm_limits(clock), "cases": {}}
    for case, figures in _cases(models, base, large, options, clock):
        print(_line(case, figures), file=sys.stderr, flush=True)
        report["cases"][case] = figures
    return report


def _cases(
    models: dict[str, Contender], base: Path, large: Path, options: argparse.Namespace, clock: Clock
) -> Iterator[tuple[str, Figures]]:
    n = 3 if options.quick else 7
    bf16 = {"bf16": load("ours", base, "bf16"), "ours": models["ours"]}
    yield "one clip of 10 s", alternate(each(models, clips(10)), n, clock)
    yield "16 clips of 1 s", alternate(each(models, clips(1, 16)), n, clock)
    yield "bf16, one clip of 10 s", alternate(each(bf16, clips(10)), n, clock)
    yield "bf16, 16 clips of 1 s", alternate(each(bf16, clips(1, 16)), n, clock)
    started = "cpu_seconds" if options.cpu else "seconds"
    yield "process start to first embedding", processes(base, options, 1, started, 3 if options.quick else 5)
    if options.quick:
        return
    both = {name: load(name, large) for name in NAMES}
    yield "large, one clip of 10 s", alternate(each(both, clips(10)), 3, clock)
    del both
    yield "8 clips of 10 s", alternate(each(models, clips(10, 8)), 3, clock)
    yield "8 clips of 1 to 30 s", alternate(each(models, [_noise(s) for s in RAGGED_S]), 1, clock, warm=0)
    yield "32 clips of 10 s", alternate(each(models, clips(10, 32)), 1, clock, warm=0)
    yield "peak memory, 32 clips of 10 s (MB)", processes(base, options, 32, "peak_mb", 1)


def _noise(seconds: float) -> torch.Tensor:
    return torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(int(seconds * 10))) * 0.1


def clips(seconds: float, count: int = 1) -> list[torch.Tensor]:
    """Waveforms of one length."""
    return [_noise(seconds + 0.0) for _ in range(count)]


def apart(models: dict[str, Contender]) -> Figures:
    """How far the others' embeddings of a clip are from ours: they run the same weights."""
    made = {name: run(clips(10))[0] for name, run in models.items()}
    return {
        name: float((torch.as_tensor(made[name]) - made["ours"]).abs().max())
        for name in models
        if name != "ours"
    }


def each(models: dict[str, Contender], waveforms: list[torch.Tensor]) -> dict[str, Run]:
    """Every contender on the same waveforms."""
    return {name: partial(run, waveforms) for name, run in models.items()}


def alternate(runs: dict[str, Run], n: int, clock: Clock, warm: int = 1) -> Figures:
    """Median times, run in turn so that what else the machine does hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(n + warm):
        for name, run in runs.items():
            start = clock()
            run()
            if turn >= warm:
                times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def processes(path: Path, options: argparse.Namespace, count: int, figure: str, n: int) -> Figures:
    """Fresh processes, one contender each, in turn: median of a figure that each reports of itself."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    environment = os.environ | ({"OMP_NUM_THREADS": "1"} if options.cpu else {})
    places = [str(HERE / "encoders"), str(options.others)]
    for _ in range(n):
        for name in NAMES:
            command = [sys.executable, str(HERE / "encoders" / "child.py"), str(time.time()), name]
            command += [str(path), str(count), *places]
            run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            found[name].append(json.loads(run.stdout.splitlines()[-1])[figure])
    return {name: statistics.median(values) for name, values in found.items()}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "kernels": chosen_kernels(),
        "kernels in bf16": chosen_kernels(torch.bfloat16),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def print_table(report: dict[str, Any]) -> None:
    """What was measured on what, what the products allow, and one line a case."""
    print(", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    print("apart from ours: " + ", ".join(f"{name} {by:.1e}" for name, by in report["apart"].items()))
    for name, limit in report["gemm_gflop_s"].items():
        print(f"products with {name}: {limit:.0f} GFLOP/s, so 10 s take at least {GFLOP_10_S / limit:.3f}")
    reached = GFLOP_10_S / report["cases"]["one clip of 10 s"]["ours"]
    print(
        f"ours: {reached:.0f} GFLOP/s, {reached / report['gemm_gflop_s']['oneDNN']:.0%} of oneDNN's products"
    )
    print(f"medians in {report['unit']}; in brackets, how many times as long as the first")
    for case, figures in report["cases"].items():
        print(_line(case, figures))


def _line(case: str, figures: Figures) -> str:
    """A row: the first, then each other and how many times the first it takes."""
    (name, first), *others = figures.items()
    cells = [f"{name} {_short(first)}"]
    cells += [f"{name} {_short(value)} ({value / first:.2f} x)" for name, value in others]
    return f"| {case:<34} | {' | '.join(f'{cell:<28}' for cell in cells)} |"


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 100 else f"{value:.0f}"


if __name__ == "__main__":
    main()
