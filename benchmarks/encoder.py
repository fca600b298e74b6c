"""The encoder beside SpeechBrain's BEATs and the `openbeats` package, on the same untrained weights.

    python benchmarks/encoder.py [--json FILE] [--others DIR] [--quick]

The two others are measured where they can be imported. They are no requirements of the project; this puts
them into a folder of their own, beside the torch that is installed:

    pip install --no-deps --target build/others speechbrain==1.1.2 openbeats==0.1.1 torchaudio scipy joblib \
        hyperpyyaml sentencepiece
    rm -f build/others/torchaudio/lib/*.so   # built for CUDA; only its Python part is used
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
from beats_trainer.embed import embed
from beats_trainer.kernels import choice
from beats_trainer.load import load_model
from beats_trainer.untrained import LARGE, write_untrained

RATE = 16_000
ONE_CLIP = "10 s, one at a time (s)"
RAGGED_S = (1, 2, 3.3, 5, 7.5, 10, 15.5, 30)  # 74.3 s
GFLOP_10_S = 98.6  # linears 84.3, attention 9.1, positional convolution 4.7, patches 0.5
Run = Callable[[], object]


def main() -> None:
    """Measure, print one table, write it as JSON where asked."""
    options = _options()
    if options.others:
        sys.path.insert(0, options.others)
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
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
    parser.add_argument("--others", help="folder in which the other packages are", default="")
    parser.add_argument("--quick", action="store_true", help="fewer runs, and without the slowest cases")
    return parser.parse_args()


def measure(base: Path, large: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every case: names of contenders to medians, in seconds or megabytes; printed as they come."""
    report: dict[str, Any] = {"machine": machine(), "gemm_gflop_s": gemm_limit(), "cases": {}}
    for case, figures in _cases(base, large, options):
        print(_line(case, figures), file=sys.stderr, flush=True)
        report["cases"][case] = figures
    return report


def _cases(base: Path, large: Path, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    n = 3 if options.quick else 7
    models = contenders(base)
    yield ONE_CLIP, alternate(each(models, clips(10)), n)
    yield "1 s, 16 at once (s)", alternate(each(models, clips(1, 16)), n)
    ours, bf16 = models["ours"], partial(embed, load_model(base, device="cpu", precision="bf16"))
    for seconds, count in ((10, 1), (1, 16)):
        waveforms = clips(seconds, count)
        runs: dict[str, Run] = {"ours, bf16": partial(bf16, waveforms), "ours": partial(ours, waveforms)}
        yield f"bf16: {seconds} s, {count} at once (s)", alternate(runs, n)
    yield "process start to first embedding (s)", processes(base, models, options, "1", "seconds", 5)
    yield "peak memory, 1 clip of 10 s (MB)", processes(base, models, options, "1", "peak_mb", 1)
    yield "large: 10 s, one at a time (s)", alternate(each(contenders(large), clips(10)), 3)
    if options.quick:
        return
    yield "10 s, 8 at once (s)", alternate(each(models, clips(10, 8)), 3)
    yield "8 clips of 1 to 30 s (s)", alternate(each(models, [_noise(s) for s in RAGGED_S]), 1)
    yield "10 s, 32 at once (s)", alternate(each(models, clips(10, 32)), 1)
    yield "peak memory, 32 clips of 10 s (MB)", processes(base, models, options, "32", "peak_mb", 1)


def _noise(seconds: float) -> torch.Tensor:
    return torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(int(seconds * 10))) * 0.1


def clips(seconds: float, count: int = 1) -> list[torch.Tensor]:
    """Waveforms of one length."""
    return [_noise(seconds + 0.0) for _ in range(count)]


def contenders(path: Path) -> dict[str, Callable[[list[torch.Tensor]], object]]:
    """Each contender as a function of a list of waveforms, used as its documentation says."""
    found: dict[str, Callable[[list[torch.Tensor]], object]] = {
        "ours": partial(embed, load_model(path, device="cpu"))
    }
    for name, load in (("SpeechBrain", _speechbrain), ("openbeats", _openbeats)):
        try:
            found[name] = load(path)
        except ImportError as error:
            print(f"{name} is not measured: {error}", file=sys.stderr)
    return found


def _speechbrain(path: Path) -> Callable[[list[torch.Tensor]], object]:
    from speechbrain.lobes.models.beats import BEATs

    model = BEATs(str(path))

    def run(waveforms: list[torch.Tensor]) -> object:
        longest = max(map(len, waveforms))
        lengths = torch.tensor([len(w) / longest for w in waveforms])
        batch = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True)
        with torch.inference_mode():
            return model(batch, lengths)[0].mean(1)

    return run


def _openbeats(path: Path) -> Callable[[list[torch.Tensor]], object]:
    from openbeats.model import OpenBeats

    model = OpenBeats.from_pretrained(str(path))
    return lambda waveforms: [model.encode(w.numpy())["patch_embeddings"].mean(0) for w in waveforms]


def each(models: dict[str, Callable[..., object]], waveforms: list[torch.Tensor]) -> dict[str, Run]:
    """Every contender on the same waveforms."""
    return {name: partial(run, waveforms) for name, run in models.items()}


def alternate(runs: dict[str, Run], n: int) -> dict[str, float]:
    """Median times, run in turn so that what else the machine does hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(n + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:  # the first is for warming up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def gemm_limit() -> float:
    """What oneDNN reaches on the encoder's products, in GFLOP/s: the best of many, over its shapes."""
    rates = []
    for outputs, inputs in ((2328, 768), (768, 768), (3072, 768), (768, 3072)):
        x, weight = torch.randn(496, inputs), torch.randn(outputs, inputs)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)  # noqa: SLF001
        run = partial(torch.ops.mkldnn._linear_pointwise, x, packed, None, "none", [], "")  # noqa: SLF001
        best = min(_seconds(run) for _ in range(40))
        rates.append(2 * 496 * outputs * inputs / best / 1e9)
    return statistics.fmean(rates)


def _seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


_CHILD = """
import json, logging, sys, time, warnings
start = float(sys.argv[1]); warnings.simplefilter("ignore"); logging.disable(logging.INFO)
sys.path[:0] = sys.argv[5].split(";")

def peak_bytes():
    try:
        lines = open("/proc/self/status").read().splitlines()
    except OSError:
        import resource  # counts in bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

import torch
name, path, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
waveforms = [torch.randn(160000) * 0.1 for _ in range(count)]
if name == "ours":
    from beats_trainer.load import load_model
    from beats_trainer.embed import embed
    embed(load_model(path, device="cpu"), waveforms)
else:
    import encoder
    getattr(encoder, "_" + name.lower())(path)(waveforms)
seconds = time.time() - start
peak = peak_bytes() / 1e6
print(json.dumps({"seconds": seconds, "peak_mb": peak}))
"""


def processes(
    path: Path, names: Any, options: argparse.Namespace, count: str, figure: str, n: int
) -> dict[str, float]:
    """Fresh processes, one contender each: median of a figure that each reports of itself."""
    found: dict[str, list[float]] = {name: [] for name in names}
    places = ";".join(filter(None, [str(Path(__file__).parent), options.others]))
    for _ in range(n):
        for name in names:
            command = [sys.executable, "-c", _CHILD, str(time.time()), name, str(path), count, places]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[name].append(json.loads(out.splitlines()[-1])[figure])
    return {name: statistics.median(values) for name, values in found.items()}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "kernels": choice(),
    }


def print_table(report: dict[str, Any]) -> None:
    """What was measured on what, and one line a case."""
    print(", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    limit, ours = report["gemm_gflop_s"], report["cases"][ONE_CLIP]["ours"]
    reached = GFLOP_10_S / ours
    print(
        f"oneDNN products: {limit:.0f} GFLOP/s; 10 s clip: {reached:.0f} GFLOP/s, {reached / limit:.0%} of it"
    )
    for case, figures in report["cases"].items():
        print(_line(case, figures))


def _line(case: str, figures: dict[str, float]) -> str:
    """A row: the first, then each other and how many times the first it takes."""
    (name, first), *others = figures.items()
    cells = [f"{name} {_short(first)}"]
    cells += [f"{name} {_short(value)} ({value / first:.2f} x)" for name, value in others]
    return f"| {case:<37} | {' | '.join(f'{cell:<28}' for cell in cells)} |"


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 100 else f"{value:.0f}"


if __name__ == "__main__":
    main()
