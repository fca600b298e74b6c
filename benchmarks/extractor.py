"""`BEATsFeatureExtractor` beside a naive loop, on the recordings of this repository and untrained weights.

    python benchmarks/extractor.py [--json FILE] [--runs N]

The naive loop reads a recording, resamples it and calls the encoder as plain torch modules, one clip after
the other. Both read the files in every run; they take turns, and medians are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch
from beats_trainer import BEATsFeatureExtractor, load_model
from beats_trainer.checkpoint.untrained import write_untrained

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.flac"))


def main() -> None:
    """Measure both in turn and print the ratio."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        weights = write_untrained(Path(folder, "base.pt"))
        contenders = {"extractor": extractor(weights), "naive loop": naive_loop(weights)}
        report = compare(contenders, options.runs)
    print_table(report)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each, after one that warms up")
    return parser.parse_args()


def extractor(weights: Path) -> Callable[[], np.ndarray]:
    """The extractor as the README uses it."""
    ours = BEATsFeatureExtractor(weights, device="cpu")
    return lambda: ours.extract_from_files(RECORDINGS)


def naive_loop(weights: Path) -> Callable[[], np.ndarray]:
    """The encoder's plain form (a hook keeps the fast one away), a clip a call."""
    model = load_model(weights, device="cpu")
    model.register_forward_hook(lambda *_: None)

    def run() -> np.ndarray:
        rows = []
        for path in RECORDINGS:
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            waveform = soxr.resample(samples.mean(axis=1), rate, 16_000)
            with torch.inference_mode():
                pooled = model(torch.from_numpy(waveform)).mean(1)[0]
            rows.append(torch.nn.functional.normalize(pooled, dim=0).numpy())
        return np.stack(rows)

    return run


def compare(contenders: dict[str, Callable[[], np.ndarray]], runs: int) -> dict[str, Any]:
    """Clips per second of each, and how far their embeddings are apart."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(runs + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first, second = (run() for run in contenders.values())
    return {
        "clips": len(RECORDINGS),
        "clips_per_s": {name: len(RECORDINGS) / median for name, median in medians.items()},
        "max_difference": float(np.abs(first - second).max()),
    }


def print_table(report: dict[str, Any]) -> None:
    """A line each, the ratio last."""
    rates = report["clips_per_s"]
    for name, rate in rates.items():
        print(f"| {name:<10} | {rate:6.2f} clips/s |")
    ratio = rates["extractor"] / rates["naive loop"]
    print(f"{ratio:.2f} times as fast; embeddings differ by at most {report['max_difference']:.1e}")


if __name__ == "__main__":
    main()
