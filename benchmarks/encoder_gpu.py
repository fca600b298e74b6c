"""Clips of 10 s per second on a GPU, and the share of its peak, beside SpeechBrain's BEATs under autocast.

python benchmarks/encoder_gpu.py [--device cuda] [--peak TFLOP/s] [--others DIR] [--batch 32] [--compile]

`--others` is the folder of `benchmarks/encoder.py`. With `--device cpu` it shows that it runs, no more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from beats_trainer.checkpoint.untrained import write_untrained
from beats_trainer.load import load_model

TFLOP_10_S = 0.0986


def main() -> None:
    """Measure each contender and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--peak", type=float, default=0.0, help="the device's bf16 TFLOP/s, to print a share")
    parser.add_argument("--others", default="")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--compile", action="store_true", help="also ours compiled, with CUDA graphs")
    options = parser.parse_args()
    sys.path[:0] = [options.others] if options.others else []
    warnings.simplefilter("ignore")
    waveforms = torch.randn(options.batch, 160_000) * 0.1
    with tempfile.TemporaryDirectory() as folder:
        path = write_untrained(Path(folder, "base.pt"))
        for name, run in contenders(path, options).items():
            seconds = measure(partial(run, waveforms), options.device)
            rate = options.batch / seconds
            share = f", {rate * TFLOP_10_S / options.peak:.0%} of the peak" if options.peak else ""
            print(f"{name:<28} {rate:8.1f} clips/s, {rate * TFLOP_10_S:6.1f} TFLOP/s{share}")


def contenders(path: Path, options: argparse.Namespace) -> dict[str, Callable[[torch.Tensor], object]]:
    """Ours in both precisions, compiled where asked, and SpeechBrain's where it can be imported."""
    found: dict[str, Callable[[torch.Tensor], object]] = {}
    for precision in ("fp32", "bf16"):
        model = load_model(path, device=options.device, precision=precision)
        found[f"ours, {precision}"] = partial(_pooled, model.hidden)
        if options.compile:
            encode = torch.compile(model.encode, mode="reduce-overhead")
            found[f"ours, {precision}, compiled"] = partial(
                _pooled, lambda w, layers, m=model, e=encode: e(m.fbank(w), layers)
            )
    try:
        found["SpeechBrain, bf16 autocast"] = _speechbrain(path, options.device)
    except ImportError as error:
        print(f"SpeechBrain is not measured: {error}", file=sys.stderr)
    return found


def _pooled(hidden: Callable[..., list[torch.Tensor]], waveforms: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return hidden(waveforms, [-1])[0].mean(1).cpu()


def _speechbrain(path: Path, device: str) -> Callable[[torch.Tensor], object]:
    from speechbrain.lobes.models.beats import BEATs

    model = BEATs(str(path)).to(device)

    def run(waveforms: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast(torch.device(device).type, torch.bfloat16):
            lengths = torch.ones(len(waveforms), device=device)
            return model(waveforms.to(device), lengths)[0].float().mean(1).cpu()

    return run


def measure(run: Callable[[], object], device: str, n: int = 7) -> float:
    """Median seconds; the first two runs are for warming up."""
    times = []
    for _ in range(n + 2):
        start = time.perf_counter()
        run()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()
