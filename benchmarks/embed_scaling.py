"""How `beats embed` scales: its stages measured here, one and two workers run here, many machines simulated.

    python benchmarks/embed_scaling.py [--workers] [--cores 32] [--storage 10] [--network 1.25]
                                       [--petabytes 1] [--hours 12] [--quick] [--model PATH] [--json FILE]

Stages: seconds of one core for an hour of 48 kHz stereo, by the processor's clock, so that other work on
the machine counts less. `--workers` runs `beats embed` with one and with two shards of one thread each, and
with one and two actors of Ray, which share all cores, and needs a quiet machine.

Simulated are nodes of `--cores` cores, a network card of `--network` GB/s each, and storage that gives all
of them `--storage` GB/s together. Every node reads, decodes and embeds at once, so it goes at the pace of
its slowest resource; cores are shared by the stages. Recordings go to shards by the hash of their names, as
they do in truth, so shards are unequal and the last one ends late. With Ray recordings are taken from one
queue, decoded sound crosses the network once more, and one process writes all rows.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE, BYTES = 48_000, 192_000  # of stereo with 16 bits: samples and bytes in a second of sound
DECODED = 64_000  # bytes in a second of what the model gets: 16 kHz, mono, float32
CLIP_S = 10.0
FILES = 48  # that --workers embeds: enough that two shards end at about the same time
NODES = (1, 2, 4, 10, 32, 100)
GB = 1e9


@dataclass(frozen=True)
class Stages:
    """Seconds of one core for an hour of sound."""

    decode: float
    front_end: float
    model: float
    write: float
    collect: float  # what the one writer of Ray does more: rows come to it from other processes

    @property
    def embedding(self) -> float:
        """All that a node does, if it writes for itself."""
        return self.decode + self.front_end + self.model + self.write


@dataclass(frozen=True)
class Machines:
    """What is simulated."""

    cores: int
    network: float  # GB/s of a node
    storage: float  # GB/s of all of them


def measure(model_path: Path, root: Path, seconds: int) -> Stages:
    """The stages one by one, in one thread."""
    import torch
    from beats_trainer.load import load_model

    torch.set_num_threads(1)
    model = load_model(model_path, device="cpu")
    path = root / "measured.wav"
    noise = np.random.default_rng(0).standard_normal((seconds * RATE, 2)).astype(np.float32) / 8
    soundfile.write(path, noise, RATE)
    clips = _clips(path)
    hours = len(clips) * CLIP_S / 3600
    with torch.inference_mode():
        waveforms = [torch.from_numpy(clip.waveform[:, 0]).unsqueeze(0) for clip in clips]
        banks = [model.fbank(waveform) for waveform in waveforms]
        model.encode(banks[0], [-1])
        front_end = _cpu(lambda: [model.fbank(waveform) for waveform in waveforms])
        encoder = _cpu(lambda: [model.encode(bank, [-1]) for bank in banks])
    write, collect = _writing(root, clips[0])
    per_hour = 3600 / CLIP_S
    decode = _cpu(lambda: _clips(path))
    return Stages(decode / hours, front_end / hours, encoder / hours, write * per_hour, collect * per_hour)


def _clips(path: Path) -> list[Any]:
    from beats_trainer.audio.clips import ClipPlan
    from beats_trainer.recordings.reading import Clip, read_clips
    from beats_trainer.recordings.sources import Source

    items = read_clips(Source(str(path), path.name), path, ClipPlan(), "mix")
    return [item for item in items if isinstance(item, Clip)]


def _writing(root: Path, clip: Any, rows: int = 4096) -> tuple[float, float]:
    """Seconds a row: to write it, and to take it from another process."""
    from beats_trainer.embed.ray_engine import packed, unpacked
    from beats_trainer.table.rows import Row, without_sound
    from beats_trainer.table.settings import Settings
    from beats_trainer.table.writer import Parts

    vector = np.random.default_rng(0).standard_normal((1, 768)).astype(np.float32)
    one = without_sound(clip, [Row(clip, None, vector)])

    def write() -> None:
        with Parts(root / "parts", root / "open", Settings("", "", 768, (12,))) as parts:
            for _ in range(rows):
                parts.add(*one)
            parts.flush()

    batches = [packed([[one] * 16]) for _ in range(rows // 16)]
    return _cpu(write) / rows, _cpu(lambda: [unpacked(batch) for batch in batches]) / rows


def _cpu(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def simulate(
    lengths_s: np.ndarray, nodes: int, engine: str, stages: Stages, machines: Machines
) -> dict[str, Any]:
    """Seconds from the first start to the last end, and what they were spent on.

    Args:
        lengths_s: Seconds of sound of each recording.
        nodes: Machines, each of which is one shard, or one node of Ray's cluster.
        engine: `shard` or `ray`.
        stages: What an hour costs.
        machines: What there is.
    """
    work = (_hashed if engine == "shard" else _queued)(lengths_s, nodes)
    left, elapsed, at = np.sort(work), 0.0, 0.0
    limits: dict[str, float] = {}
    for done in range(nodes):  # all go at one pace, so they end in the order of their work
        limits = _limits(nodes - done, engine, stages, machines)
        pace = min(limits.values())
        elapsed += (left[done] - at) / pace
        at = left[done]
    first = _limits(nodes, engine, stages, machines)
    total = float(lengths_s.sum())
    return {
        "nodes": nodes,
        "engine": engine,
        "hours": elapsed / 3600,
        "x_real_time": total / elapsed,
        "bottleneck": min(first, key=first.__getitem__),
        "even": total / nodes / float(left[-1]),
    }


def _limits(nodes: int, engine: str, stages: Stages, machines: Machines) -> dict[str, float]:
    """Times real time of one node, if nothing but this one thing held it up, while so many are at work."""
    ray = engine == "ray"
    elsewhere = (nodes - 1) / nodes  # the share of decoded sound that is embedded on another node
    traffic = BYTES + (2 * elsewhere * DECODED if ray else 0.0)
    cpu = stages.embedding - (stages.write if ray else 0.0)
    limits = {
        "cores": 3600 / cpu * machines.cores,
        "network card": machines.network * GB / traffic,
        "storage": machines.storage * GB / BYTES / nodes,
    }
    return limits | ({"the one writer": 3600 / (stages.write + stages.collect) / nodes} if ray else {})


def _hashed(lengths_s: np.ndarray, nodes: int) -> np.ndarray:
    """Seconds of sound of each shard."""
    from beats_trainer.recordings.sources import Source

    shards = np.array([Source("", f"/site/{i}.wav").number % nodes for i in range(len(lengths_s))])
    return np.bincount(shards, weights=lengths_s, minlength=nodes)


def _queued(lengths_s: np.ndarray, nodes: int) -> np.ndarray:
    """Seconds of sound of each node, if whoever is ready takes the next recording."""
    totals = [0.0] * nodes
    for length in lengths_s:
        heapq.heapreplace(totals, totals[0] + float(length))
    return np.array(totals)


def run_here(model: Path, root: Path, seconds: int) -> list[dict[str, Any]]:
    """Times real time of all processes together."""
    sounds = root / "sounds"
    sounds.mkdir()
    for i in range(FILES):
        noise = np.random.default_rng(i).standard_normal((seconds * RATE // FILES, 2)).astype(np.float32) / 8
        soundfile.write(sounds / f"{i}.wav", noise, RATE)
    found = []
    for engine in ("shard", "ray"):
        for workers in (1, 2):
            print(f"{engine}, {workers}", file=sys.stderr, flush=True)
            pace = (_shards if engine == "shard" else _ray)(
                sounds, root / f"{engine}{workers}", model, workers
            )
            found.append({"engine": engine, "workers": workers, "x_real_time": pace})
    return found


def _shards(sounds: Path, out: Path, model: Path, count: int) -> float:
    running = [_start(sounds, out, model, "--shard", f"{k}/{count}") for k in range(1, count + 1)]
    summaries = [json.loads(process.communicate()[0]) for process in running]
    # Each at its own pace: that the hash deals recordings out unevenly is not what two cost each other.
    return float(sum(s["audio_s"] / s["took_s"] for s in summaries))


def _ray(sounds: Path, out: Path, model: Path, count: int) -> float:
    summary = json.loads(_start(sounds, out, model, "--engine", "ray", "--workers", count).communicate()[0])
    return float(summary["x_real_time"])


def _start(sounds: Path, out: Path, model: Path, *words: object) -> subprocess.Popen[str]:
    command = ["embed", sounds, "-o", out, "--model", model, "--json", "--device", "cpu", *words]
    return subprocess.Popen(
        [sys.executable, "-m", "beats_trainer", *map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--cores", type=int, default=32)
    parser.add_argument("--storage", type=float, default=10.0)
    parser.add_argument("--network", type=float, default=1.25)
    parser.add_argument("--petabytes", type=float, default=1.0)
    parser.add_argument("--hours", type=float, default=12.0, help="of a recording, give or take half")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    options = _options()
    machines = Machines(options.cores, options.network, options.storage)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = options.model or _untrained(root)
        stages = measure(model, root, 40 if options.quick else 200)
        here = run_here(model, root, 160 if options.quick else 960) if options.workers else []
    print_stages(stages)
    for row in here:
        print(f"here, {row['engine']:>5}, {row['workers']} worker: {row['x_real_time']:.1f} x real time")
    lengths_s = _lengths(options.petabytes, options.hours)
    rows = [
        simulate(lengths_s, nodes, engine, stages, machines) for engine in ("shard", "ray") for nodes in NODES
    ]
    print_simulation(rows, lengths_s, machines)
    if options.json:
        report = {"stages": vars(stages), "here": here, "machines": vars(machines), "simulated": rows}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _untrained(root: Path) -> Path:
    from beats_trainer.checkpoint.untrained import write_untrained

    return write_untrained(root / "untrained.pt")


def _lengths(petabytes: float, hours: float) -> np.ndarray:
    """Seconds of sound of recordings that take so much room together."""
    count = max(1, round(petabytes * 1e15 / BYTES / 3600 / hours))
    return np.random.default_rng(0).uniform(0.5, 1.5, count) * hours * 3600


def print_stages(stages: Stages) -> None:
    print("seconds of one core for an hour of 48 kHz stereo, this machine:")
    for name, seconds in vars(stages).items():
        print(f"  {name:10} {seconds:8.2f}")


def print_simulation(rows: list[dict[str, Any]], lengths_s: np.ndarray, machines: Machines) -> None:
    petabytes = lengths_s.sum() * BYTES / 1e15
    print(f"simulated: {len(lengths_s):,} recordings, {petabytes:.2f} PB, {machines}")
    columns = ("engine", "nodes", "days", "x real time", "of linear", "even", "bottleneck")
    print("{:>7} {:>6} {:>9} {:>12} {:>10} {:>5} {}".format(*columns))
    for row in rows:
        alone = next(r for r in rows if r["engine"] == row["engine"] and r["nodes"] == 1)
        linear = row["x_real_time"] / alone["x_real_time"] / row["nodes"]
        print(
            f"{row['engine']:>7} {row['nodes']:>6} {row['hours'] / 24:>9.2f} {row['x_real_time']:>12,.0f} "
            f"{linear:>10.2f} {row['even']:>5.2f} {row['bottleneck']}"
        )


if __name__ == "__main__":
    main()
