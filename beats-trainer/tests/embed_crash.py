"""`beats embed` killed again and again at random: the table in the end is that of an undisturbed run.

    python beats-trainer/tests/embed_crash.py [--files 10000] [--kills 20] [--seed N]

Run with `--child CHECKPOINT OUT SOUNDS LOG` it embeds, and notes every clip before the model gets it.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile

ROWS_PER_PART = 200
Key = tuple[str, float]


def child(checkpoint: str, out: str, sounds: str, log: str) -> None:
    from beats_trainer.embed.encode import Encoding, Gathering
    from beats_trainer.embed.run import Options, Run
    from beats_trainer.load import load_model
    from beats_trainer.recordings.sources import find_sources
    from beats_trainer.table.settings import Settings

    model = load_model(checkpoint, device="cpu")
    settings = Settings(
        "tiny", "0" * 64, clip_s=0.25, hop_s=0.25, layers=(0,), dim=model.config.encoder_embed_dim
    )
    encoding = Encoding(model, settings)
    encoding.gathering = Gathering(4_000, 10.0, 10.0)

    def noting(clips):
        with Path(log).open("a") as file:
            file.writelines(
                f"{clip.recording}\t{clip.start_s}\n" for clip in clips if clip.waveform is not None
            )
        return encoding(clips)

    noting.settings, noting.gathering = settings, encoding.gathering
    print("ready", flush=True)
    Run(find_sources([sounds]), noting, out, Options(rows_per_part=ROWS_PER_PART))()


def write_sounds(folder: Path, count: int, seed: int) -> None:
    """Short recordings, each of a hundred damaged: cut off, empty, no sound, silent or not numbers."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for i in range(count):
        path = folder / f"{i:05d}.wav"
        sound = (rng.standard_normal(int(rng.integers(4_000, 16_000))) / 8).astype(np.float32)
        kind = rng.integers(5) if i % 100 == 50 else -1
        if kind == 3:
            sound[:] = 0
        if kind == 4:
            sound[100:200] = np.nan
        soundfile.write(path, sound, 16_000, subtype="FLOAT" if kind == 4 else "PCM_16")
        if kind in (0, 1, 2):
            path.write_bytes([path.read_bytes()[:3_000], b"", b"no sound" * 50][kind])


def start(checkpoint: Path, out: Path, sounds: Path, log: Path) -> subprocess.Popen[str]:
    log.write_text("")
    words = [sys.executable, __file__, "--child", checkpoint, out, sounds, log]
    process = subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def keys(out: Path) -> list[Key]:
    """Recording and start of every row of a table, sorted; the table may have none yet."""
    parts = sorted(out.glob("shard=*/*.parquet"))
    tables = [pq.ParquetFile(part).read(["recording", "start_s"]) for part in parts]
    return sorted(k for t in tables for k in zip(*(t[n].to_pylist() for n in t.column_names), strict=True))


def noted(log: Path) -> list[Key]:
    lines = (line.split("\t") for line in log.read_text().splitlines())
    return [(fields[0], float(fields[1])) for fields in lines if len(fields) == 2 and fields[1]]


def embeddings(out: Path) -> np.ndarray:
    from beats_trainer.table import read_table

    table = read_table(out)
    order = np.lexsort((table.start_s, np.array(table.recordings)))
    return table.embeddings[order]


def crash(folder: Path, checkpoint: Path, files: int, kills: int, seed: int) -> dict[str, float]:
    """Kill and resume; returns figures.

    Raises:
        AssertionError: A row is missing or there twice, or something was embedded again that a part held.
    """
    sounds, quiet, out, log = (folder / n for n in ("sounds", "quiet", "table", "log"))
    write_sounds(sounds, files, seed)
    with start(checkpoint, quiet, sounds, log) as process:
        began = time.perf_counter()
        assert process.wait() == 0
    undisturbed_s, expected = time.perf_counter() - began, keys(quiet)
    rng, done, again, seen = random.Random(seed), 0, 0, set[Key]()
    while True:
        safe = set(keys(out))
        last = done == kills
        with start(checkpoint, out, sounds, log) as process:
            try:
                process.wait(None if last else rng.uniform(0, 1.6 * undisturbed_s / (kills + 1)))
                assert process.returncode == 0
                last = True
            except subprocess.TimeoutExpired:
                process.kill()
                done += 1
        run = noted(log)
        assert not safe & set(run), "what a part held was embedded again"
        again += len(seen & set(run))
        seen |= set(run)
        if last:
            break
    assert keys(out) == expected, "rows differ"
    assert len(set(expected)) == len(expected), "a row is there twice"
    assert np.allclose(embeddings(out), embeddings(quiet), atol=2e-5)
    reports = [(place / "_beats" / "report.csv").read_text() for place in (out, quiet)]
    assert reports[0] == reports[1], "the reports differ"
    return {"kills": done, "rows": len(expected), "embedded_again": again, "undisturbed_s": undisturbed_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    tiny = Path(__file__).parent / "golden" / "tiny" / "BEATs_iter3_plus_AS2M.pt"
    with tempfile.TemporaryDirectory() as folder:
        print(crash(Path(folder), tiny, options.files, options.kills, options.seed))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
