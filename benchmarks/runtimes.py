"""`BEATsFeatureExtractor` on every backend and precision, on the same untrained weights.

    python benchmarks/runtimes.py [--json FILE] [--runs N]

A clip of 10 s and 16 of 1 s, in turn, medians; and how far each is from torch in float32. Exporting takes
most of the time.
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
from beats_trainer import BEATsFeatureExtractor, load_model
from beats_trainer.checkpoint.untrained import write_untrained
from beats_trainer.encoder.runtimes import export_encoder

RATE = 16_000
CASES = {"10 s": (1, 10), "16 x 1 s": (16, 1)}
FIRST = "torch"


def main() -> None:
    """Measure all in turn, and print one table."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        extractors = contenders(Path(folder))
        report = {case: compare(extractors, *shape, options.runs) for case, shape in CASES.items()}
    print_table(report)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each, after one that warms up")
    return parser.parse_args()


def contenders(folder: Path) -> dict[str, BEATsFeatureExtractor]:
    """Every backend, of the same weights."""
    weights = write_untrained(folder / "base.pt")
    model = load_model(weights, device="cpu")
    onnx, openvino = folder / "base.onnx", folder / "base.xml"
    export_encoder(model, onnx)
    export_encoder(model, openvino)
    return {
        FIRST: BEATsFeatureExtractor(weights, device="cpu"),
        "torch, bf16": BEATsFeatureExtractor(weights, device="cpu", precision="bf16"),
        "onnxruntime": BEATsFeatureExtractor(onnx, backend="onnxruntime"),
        "openvino": BEATsFeatureExtractor(openvino, backend="openvino"),
        "openvino, bf16": BEATsFeatureExtractor(openvino, backend="openvino", precision="bf16"),
    }


def compare(
    extractors: dict[str, BEATsFeatureExtractor], clips: int, seconds: int, runs: int
) -> dict[str, dict[str, Any]]:
    """Median seconds of each, and the largest difference of an embedding from the first's."""
    sound = np.random.default_rng(0).standard_normal((clips, seconds * RATE)).astype(np.float32) / 10
    times: dict[str, list[float]] = {name: [] for name in extractors}
    found: dict[str, np.ndarray] = {}
    for turn in range(runs + 1):
        for name, extractor in extractors.items():
            taken, found[name] = _timed(extractor.extract_from_array, sound)
            times[name] += [taken] if turn else []
    return {
        name: {
            "seconds": statistics.median(times[name]),
            "apart": float(np.abs(found[name] - found[FIRST]).max()),
        }
        for name in extractors
    }


def _timed(run: Callable[..., np.ndarray], sound: np.ndarray) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    made = run(sound, sample_rate=RATE)
    return time.perf_counter() - start, np.asarray(made)


def print_table(report: dict[str, dict[str, dict[str, Any]]]) -> None:
    """A line a backend: seconds and times the first of each case, then the largest difference."""
    print(f"| {'':<16} | " + " | ".join(f"{case:>16}" for case in report) + " | apart   |")
    for name in next(iter(report.values())):
        rows = [figures[name] for figures in report.values()]
        ratios = [
            row["seconds"] / figures[FIRST]["seconds"]
            for row, figures in zip(rows, report.values(), strict=True)
        ]
        cells = [f"{row['seconds']:.3f} ({by:.2f} x)" for row, by in zip(rows, ratios, strict=True)]
        print(
            f"| {name:<16} | "
            + " | ".join(f"{cell:>16}" for cell in cells)
            + f" | {max(row['apart'] for row in rows):.1e} |"
        )


if __name__ == "__main__":
    main()
