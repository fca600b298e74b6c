"""Made calls with known times: five kinds in noise, from several sites, and a recording to be tried on.

    python scripts/made_calls.py DIR [--count 12] [--seed 0]

DIR/calls/KIND/SITE-NUMBER.wav are clips of one second, DIR/day.wav is two minutes of noise with calls in it,
and DIR/day.csv says where: recording, start_s, end_s, label. No sound of a living thing is in it.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 16_000
SITES = ("marsh", "ridge", "wood")
NOISE = 0.01
DAY_S, EVERY_S = 120, 6
Sound = npt.NDArray[np.float64]


def rising(time: Sound) -> Sound:
    """A whistle from 2 to 5 kHz."""
    return np.sin(2 * np.pi * (2000 * time + 1500 * time**2))


def falling(time: Sound) -> Sound:
    """A whistle from 6 to 3 kHz."""
    return np.sin(2 * np.pi * (6000 * time - 1500 * time**2))


def trill(time: Sound) -> Sound:
    """Twelve pulses a second at 3.5 kHz."""
    return np.sin(2 * np.pi * 3500 * time) * (np.sin(2 * np.pi * 12 * time) > 0)


def hoot(time: Sound) -> Sound:
    """Two low notes."""
    return np.sin(2 * np.pi * 400 * time) * ((time % 0.5) < 0.3)


def buzz(time: Sound) -> Sound:
    """A chord of harmonics from 1 kHz, rough at 60 Hz."""
    chord = sum(np.sin(2 * np.pi * 1000 * part * time) / part for part in range(1, 6))
    return chord * (1 + np.sin(2 * np.pi * 60 * time)) / 3


KINDS: dict[str, Callable[[Sound], Sound]] = {
    "rising": rising, "falling": falling, "trill": trill, "hoot": hoot, "buzz": buzz,
}  # fmt: skip


def call(kind: str, dice: np.random.Generator) -> Sound:
    """A second of one kind, each a little higher, longer and louder than the last."""
    time = np.arange(RATE) / RATE * dice.uniform(0.92, 1.08)
    return KINDS[kind](time) * np.hanning(RATE) * dice.uniform(0.1, 0.4)


def write_clips(folder: Path, count: int, dice: np.random.Generator) -> None:
    """Clips of each kind and of noise alone, in folders named by label."""
    for kind in (*KINDS, "noise"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            sound = dice.standard_normal(RATE) * NOISE
            if kind != "noise":
                sound += call(kind, dice)
            path = folder / kind / f"{SITES[number % len(SITES)]}-{number:02}.wav"
            soundfile.write(path, sound.astype(np.float32), RATE)


def write_day(folder: Path, dice: np.random.Generator) -> None:
    """A recording with calls at times that are written down."""
    sound = dice.standard_normal(DAY_S * RATE) * NOISE
    rows = []
    for start in range(2, DAY_S - 2, EVERY_S):
        kind = list(KINDS)[int(dice.integers(len(KINDS)))]
        sound[start * RATE : (start + 1) * RATE] += call(kind, dice)
        rows.append(("day.wav", start, start + 1, kind))
    soundfile.write(folder / "day.wav", sound.astype(np.float32), RATE)
    with (folder / "day.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("recording", "start_s", "end_s", "label"), *rows])


def write_all(folder: Path, count: int = 12, seed: int = 0) -> None:
    """All of it; the same for the same seed."""
    dice = np.random.default_rng(seed)
    write_clips(folder / "calls", count, dice)
    write_day(folder, dice)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=12, help="clips of each kind (default: 12)")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    write_all(chosen.folder, chosen.count, chosen.seed)
    print(chosen.folder)
