"""`beats embed` end to end, beside the bare model on clips in memory and beside a naive loop over the files.

    python benchmarks/embed.py [--quick] [--seconds 3600] [--short 2000] [--rounds 1] [--model PATH]
                               [--json FILE]

Three sets: an hour of 48 kHz WAV, an hour of MP3, 2,000 short Ogg files. The three ways take turns, each in a
process of its own, and their times begin when the model is loaded. "naive" reads a whole file, resamples it
and embeds clip by clip; it gets the first ten minutes of a set. `--quick` takes two minutes and 60 files.

Without `--model` an untrained checkpoint of the true size is written: speed does not depend on the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

SHARE = 0.9  # the goal: of what the bare model reaches
NAIVE_S = 600.0
SETS = ("wav", "mp3", "ogg")
WAYS = ("embed", "bare", "naive")
Found = dict[str, float]


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * rate)) / 8).astype(np.float32)


def write_sounds(folder: Path, seconds: int, short: int) -> dict[str, Path]:
    sets = {name: folder / name for name in SETS}
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


def embed(place: Path, model: Path, folder: Path) -> Found:
    """What `beats embed --json` says of itself."""
    out = folder / f"{time.monotonic_ns()}"
    words = ["embed", place, "-o", out, "--model", model, "--json", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "beats_trainer", *map(str, words)], check=True, capture_output=True, text=True
    )
    summary = json.loads(done.stdout)
    return {name: summary[name] for name in ("audio_s", "took_s", "waited_share")}


def child(way: str, place: Path, model: Path) -> Found:
    """The same model in a process of its own, which runs this file again."""
    words = [sys.executable, __file__, "--child", way, str(place), "--model", str(model)]
    return dict(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))


def bare(place: Path, model: Path) -> Found:
    """All clips in memory before the time begins, cut as `beats embed` cuts them."""
    from beats_trainer.audio.clips import ClipPlan, cut_clips
    from beats_trainer.audio.read import stream_waveform
    from beats_trainer.encoder.batches import embed
    from beats_trainer.load import load_model

    encoder = load_model(model, device="cpu")
    clips = [
        c.waveform for path in sorted(place.iterdir()) for c in cut_clips(stream_waveform(path), ClipPlan())
    ]
    began = time.perf_counter()
    embed(encoder, clips, short="pad")
    return {"audio_s": sum(map(len, clips)) / 16_000, "took_s": time.perf_counter() - began}


def naive(place: Path, model: Path) -> Found:
    """Load, resample, embed, one after the other, one clip a call."""
    from beats_trainer.encoder.batches import embed
    from beats_trainer.load import load_model

    encoder = load_model(model, device="cpu")
    began, heard = time.perf_counter(), 0.0
    for clip in _loaded(place):
        embed(encoder, [clip], short="pad")
        heard += len(clip) / 16_000
    return {"audio_s": heard, "took_s": time.perf_counter() - began}


def _loaded(place: Path) -> Iterator[np.ndarray]:
    left = NAIVE_S
    for path in sorted(place.iterdir()):
        with soundfile.SoundFile(path) as file:
            samples = file.read(round(left * file.samplerate), dtype="float32", always_2d=True)
            waveform = soxr.resample(samples.mean(axis=1), file.samplerate, 16_000)
        yield from (waveform[start : start + 160_000] for start in range(0, len(waveform), 160_000))
        left -= len(waveform) / 16_000
        if left <= 0:
            return


def measure(root: Path, options: argparse.Namespace) -> dict[str, dict[str, list[Found]]]:
    """Every way, every set, every round."""
    model = options.model or _untrained(root)
    sets = write_sounds(root, options.seconds, options.short)
    found: dict[str, dict[str, list[Found]]] = {name: {way: [] for way in WAYS} for name in sets}
    for _ in range(options.rounds):
        for name, place in sets.items():
            for way in WAYS:
                print(f"{time.strftime('%H:%M:%S')} {name} {way}", file=sys.stderr, flush=True)
                one = embed(place, model, root) if way == "embed" else child(way, place, model)
                found[name][way].append(one)
    return found


def _untrained(root: Path) -> Path:
    from beats_trainer.checkpoint.untrained import write_untrained

    return write_untrained(root / "untrained.pt")


def table(found: dict[str, dict[str, list[Found]]]) -> list[dict[str, float | str]]:
    """Medians over the rounds; the ratio is that of each round."""
    rows: list[dict[str, float | str]] = []
    for name, ways in found.items():
        speeds = {way: [one["audio_s"] / one["took_s"] for one in ones] for way, ones in ways.items()}
        ratios = [ours / bare for ours, bare in zip(speeds["embed"], speeds["bare"], strict=True)]
        waited = [one["waited_share"] for one in ways["embed"]]
        medians = {way: statistics.median(values) for way, values in speeds.items()}
        row = {"of_bare": statistics.median(ratios), "waited": statistics.median(waited)}
        rows.append({"set": name, **medians, **row})
    return rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--short", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, metavar=("WAY", "PLACE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.short = 120, 60
    return options


def main() -> None:
    options = _options()
    if options.child:
        way, place = options.child
        print(json.dumps({"bare": bare, "naive": naive}[way](Path(place), options.model)))
        return
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options)
    rows = table(found)
    print(f"{'':5} {'beats embed':>12} {'bare model':>11} {'naive':>7} {'of bare':>8} {'waited':>7}, x r.t.")
    for row in rows:
        print(
            f"{row['set']:5} {row['embed']:>11.1f}x {row['bare']:>10.1f}x {row['naive']:>6.1f}x "
            f"{row['of_bare']:>8.2f} {100 * float(row['waited']):>6.1f}%"
        )
    print(f"goal: at least {SHARE} of bare. Load of the machine when this began: {load:.1f}")
    if options.json:
        report = {"rows": rows, "rounds": found, "load": load, "took_s": time.monotonic() - began}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
