"""Files to send: noise, which no transport can make smaller, and checkpoints."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

BLOCK = 8 << 20


def write_noise(path: Path, size: int, seed: int) -> Path:
    """A file of seeded noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(seed)
    with path.open("wb") as file:
        for start in range(0, size, BLOCK):
            file.write(source.randbytes(min(BLOCK, size - start)))
    return path


def write_many(folder: Path, count: int, size: int = 10_000, seed: int = 0) -> Path:
    """A folder of `count` files of noise, a hundred a folder."""
    for number in range(count):
        write_noise(folder / f"{number // 100:03}" / f"{number:05}.bin", size, seed + number)
    return folder


def write_checkpoints(base: Path, *tuned: Path) -> None:
    """A checkpoint of 361 MB and fine-tuned copies of it, written by a process of its own.

    Not by this one, because a program that is started later would count the memory of torch as its peak.
    """
    program = Path(__file__).with_name("checkpoints.py")
    subprocess.run([sys.executable, program, base, *tuned], check=True)


def size_of(tree: Path) -> int:
    """Bytes of a file or of all files below a folder."""
    files = [tree] if tree.is_file() else [file for file in tree.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
