"""The most memory that `beats embed` takes of recordings of several lengths: 48 kHz, two channels, 16 bits.

    python benchmarks/embed_memory.py [--hours 0.0167 1 24] [--model PATH] [--layer N] [--json FILE]

Each recording is one minute of noise, then holes in the file that read as silence: the model computes as
much, and 24 hours need no 17 GB of disk. Without `--model` an untrained checkpoint of the true size is
written. The peak is what Linux counts (`ru_maxrss`). Beside it stands the most at any look, by kind: `own` is
the process's own, `files` is of files that it alone has mapped, `shared` is of files that others have mapped
too, which cannot be given back while they run; `alone` is own and files together. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

RATE, CHANNELS = 48_000, 2
FRAME = 2 * CHANNELS  # bytes
LOOK_S = 5.0
LIMIT_MB = 700
COLUMNS = ("length", "peak MB", "alone", "own", "files", "shared", "x real time")


def write_recording(path: Path, hours: float) -> Path:
    """An RF64 file, the WAV for more than 4 GB, whose samples are written for its first minute."""
    frames = round(hours * 3600 * RATE)
    with path.open("wb") as file:
        _write_header(file, frames)
        start = file.tell()
        noise = np.random.default_rng(0).integers(-4000, 4000, (min(60 * RATE, frames), CHANNELS), np.int16)
        file.write(noise.tobytes())
        file.truncate(start + frames * FRAME)
    return path


def _write_header(file: BinaryIO, frames: int) -> None:
    data = frames * FRAME
    form = struct.pack("<HHIIHH", 1, CHANNELS, RATE, RATE * FRAME, FRAME, 16)
    sizes = struct.pack("<QQQI", 72 + data, data, frames, 0)
    file.write(b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE")
    file.write(b"ds64" + struct.pack("<I", len(sizes)) + sizes)
    file.write(b"fmt " + struct.pack("<I", len(form)) + form)
    file.write(b"data" + struct.pack("<I", 0xFFFFFFFF))


def measure(command: list[str], log: Path) -> dict[str, Any]:
    """Run it; its peak, and its memory at every look."""
    began, curve = time.monotonic(), []
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        curve.append([round(time.monotonic() - began, 1), *_resident(process.pid)])
        time.sleep(LOOK_S if curve[-1][0] > 60 else 0.5)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()[-2000:]}"
        raise RuntimeError(message)
    return {"peak_mb": usage.ru_maxrss / 1024, "took_s": time.monotonic() - began, "curve_s_mb": curve}


def _resident(pid: int) -> tuple[float, float, float]:
    """Megabytes: of the process's own, of files that it alone has mapped, of files that others have too."""
    try:
        lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    except (ProcessLookupError, FileNotFoundError):  # it has just ended
        return 0.0, 0.0, 0.0
    found = {line[0]: int(line[1]) / 1024 for line in lines}
    own, shared = found.get("Anonymous:", 0.0), found.get("Shared_Clean:", 0.0)
    return round(own, 1), round(found.get("Rss:", 0.0) - own - shared, 1), round(shared, 1)


def embed_command(recording: Path, model: Path, out: Path, layer: int) -> list[str]:
    words = [recording, "-o", out, "--model", model, "--layer", layer, "--device", "cpu", "--json"]
    return [sys.executable, "-m", "beats_trainer", "embed", *map(str, words)]


def row(hours: float, found: dict[str, Any]) -> str:
    own, files, shared = (max(look[kind] for look in found["curve_s_mb"]) for kind in (1, 2, 3))
    alone = max(look[1] + look[2] for look in found["curve_s_mb"])
    speed = hours * 3600 / found["took_s"]
    return (
        f"{hours:>9.2f}h {found['peak_mb']:>8.0f} {alone:>6.0f} {own:>6.0f} {files:>6.0f} {shared:>7.0f} "
        f"{speed:>11.1f}x"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="+", default=[1 / 60, 1.0, 24.0])
    parser.add_argument("--layer", type=int, default=-1)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    options = _options()
    report = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = options.model or write_model(root)
        print("{:>10} {:>8} {:>6} {:>6} {:>6} {:>7} {:>12}".format(*COLUMNS), flush=True)
        for hours in options.hours:
            recording = write_recording(root / "long.wav", hours)
            command = embed_command(recording, model, root / f"{hours}", options.layer)
            report[hours] = found = measure(command, root / "log")
            print(row(hours, found), flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if any(found["peak_mb"] > LIMIT_MB for found in report.values()):
        sys.exit(f"more than {LIMIT_MB} MB")


def write_model(folder: Path) -> Path:
    """In a process of its own: a child's peak begins with what its parent holds when it starts it."""
    target = str(folder / "untrained.pt")
    program = f"from beats_trainer.checkpoint.untrained import write_untrained; write_untrained({target!r})"
    subprocess.run([sys.executable, "-c", program], check=True)
    return folder / "untrained.pt"


if __name__ == "__main__":
    main()
