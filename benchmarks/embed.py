"""`beats embed` end to end, beside the bare model on clips in memory and beside a naive loop over the files.

    python benchmarks/embed.py [--seconds 3600] [--short 2000] [--model PATH] [--json FILE]

Without `--model` an untrained checkpoint of the true size is written: speed does not depend on the weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * rate)) / 8).astype(np.float32)


def write_sounds(folder: Path, seconds: int, short: int) -> dict[str, Path]:
    sets = {name: folder / name for name in ("wav", "mp3", "ogg")}
    for place in sets.values():
        place.mkdir()
    minute = noise(60, 48_000)
    for name in ("wav", "mp3"):
        with soundfile.SoundFile(sets[name] / f"long.{name}", "w", 48_000, 1) as file:
            for _ in range(max(1, seconds // 60)):
                file.write(minute)
    lengths = np.random.default_rng(1).uniform(0.5, 4, short)
    for i, length in enumerate(lengths):
        soundfile.write(sets["ogg"] / f"{i:05d}.ogg", noise(length, 44_100, i), 44_100)
    return sets


def end_to_end(place: Path, model: Path, out: Path) -> dict[str, float]:
    command = [
        sys.executable, "-m", "beats_trainer", "embed", place, "-o", out, "--model", model, "--json",
        "--device", "cpu",
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    summary = json.loads(done.stdout)
    return {
        "process_s": time.perf_counter() - began,
        "x_real_time": summary["x_real_time"],
        "waited_share": summary["waited_share"],
        "audio_s": summary["audio_s"],
    }


def clips_of(place: Path, seconds: float) -> list[np.ndarray]:
    """Clips in memory, as `beats embed` would cut them, of the first `seconds`."""
    from beats_trainer.audio import stream_waveform
    from beats_trainer.clips import ClipPlan, cut

    clips: list[np.ndarray] = []
    for path in sorted(place.iterdir()):
        for piece in cut(stream_waveform(path), ClipPlan()):
            clips.append(piece.waveform)
            if sum(map(len, clips)) >= seconds * 16_000:
                return clips
    return clips


def x_real_time(run: Callable[[], object], clips: list[np.ndarray]) -> float:
    began = time.perf_counter()
    run()
    return sum(map(len, clips)) / 16_000 / (time.perf_counter() - began)


def bare(model: Path, place: Path, seconds: float) -> tuple[float, float]:
    """The same model on preloaded clips; and in a loop that loads a whole file and embeds clip by clip."""
    from beats_trainer.embed import embed
    from beats_trainer.load import load_model

    encoder = load_model(model, device="cpu")
    clips = clips_of(place, seconds)
    embed(encoder, clips[:1], short="pad")

    def naive() -> None:
        left = sum(map(len, clips))
        for path in sorted(place.iterdir()):
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            waveform = soxr.resample(samples.mean(axis=1), rate, 16_000)[:left]
            for start in range(0, len(waveform), 160_000):
                embed(encoder, [waveform[start : start + 160_000]], short="pad")
            left -= len(waveform)
            if left <= 0:
                return

    return x_real_time(lambda: embed(encoder, clips, short="pad"), clips), x_real_time(naive, clips)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--short", type=int, default=2000)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = options.model
        if model is None:
            from beats_trainer.untrained import write_untrained

            model = write_untrained(root / "untrained.pt")
        for name, place in write_sounds(root, options.seconds, options.short).items():
            found = end_to_end(place, model, root / f"{name}.parquet")
            preloaded, naive = bare(model, place, min(600.0, options.seconds))
            results[name] = found | {"preloaded": preloaded, "naive": naive}
            results[name]["of_preloaded"] = found["x_real_time"] / preloaded
    print(f"{'':5} {'beats embed':>12} {'preloaded':>10} {'naive':>7} {'of preloaded':>13} {'waited':>7}")
    for name, row in results.items():
        print(
            f"{name:5} {row['x_real_time']:>11.1f}x {row['preloaded']:>9.1f}x {row['naive']:>6.1f}x "
            f"{row['of_preloaded']:>13.2f} {100 * row['waited_share']:>6.1f}%"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
