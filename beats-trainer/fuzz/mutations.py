"""Whole checkpoints, damaged by chance: cut short, flipped, overwritten, with headers that lie."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

Mutation = Callable[[bytes, random.Random], bytes]


def cut(data: bytes, chance: random.Random) -> bytes:
    """Cut short somewhere."""
    return data[: chance.randrange(len(data))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Some bits flipped anywhere."""
    return _flip(data, chance, 0, len(data))


def flipped_at_an_end(data: bytes, chance: random.Random) -> bytes:
    """Some bits flipped where the structure is: among the first bytes or the last."""
    span = min(len(data), 8000)
    start = chance.choice([0, len(data) - span])
    return _flip(data, chance, start, start + span)


def overwritten(data: bytes, chance: random.Random) -> bytes:
    """A run of bytes replaced by noise, zeros or ones."""
    start = chance.randrange(len(data))
    run = min(chance.choice([4, 64, 4096]), len(data) - start)
    fill = chance.choice([bytes(run), b"\xff" * run, chance.randbytes(run)])
    return data[:start] + fill + data[start + run :]


def shifted(data: bytes, chance: random.Random) -> bytes:
    """Bytes put in or taken out, so that all offsets behind them lie."""
    at, count = chance.randrange(len(data)), chance.randrange(1, 200)
    return data[:at] + (data[at + count :] if chance.random() < 0.5 else chance.randbytes(count) + data[at:])


def oversized(data: bytes, chance: random.Random) -> bytes:
    """A size near either end set to a large one."""
    width, form = chance.choice([(2, "<H"), (4, "<I"), (8, "<Q")])
    span = min(len(data) - width, chance.choice([16, 2000, 8000]))
    at = chance.randrange(span)
    at = at if chance.random() < 0.5 else len(data) - width - at
    value = chance.choice([(1 << (8 * width)) - 1, 1 << (8 * width - 1), len(data) % (1 << (8 * width))])
    return data[:at] + struct.pack(form, value) + data[at + width :]


def header_lies(data: bytes, chance: random.Random) -> bytes:
    """A safetensors header with another shape, type, offset or name; its own size is right."""
    if data[8:9] != b"{":
        return oversized(data, chance)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = chance.choice([key for key in header if key != "__metadata__"])
    _lie(header, name, chance)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _lie(header: dict[str, dict[str, object]], name: str, chance: random.Random) -> None:
    entry = header[name]
    huge = chance.choice([1 << 20, 1 << 40, 1 << 62, 0, -1])
    choice = chance.randrange(6)
    if choice == 0:
        entry["shape"] = [huge, huge]
    elif choice == 1:
        entry["data_offsets"] = [0, huge]
    elif choice == 2:
        entry["dtype"] = chance.choice(["F64", "I8", "BOOL", "F4096", "BF16", "I32"])
    elif choice == 3:
        header[f"encoder.layers.{abs(huge)}.fc1.weight"] = header.pop(name)
    elif choice == 4:
        del header[name]
    else:
        entry["shape"] = [1] * chance.choice([1, 100, 10_000])


def _flip(data: bytes, chance: random.Random, start: int, stop: int) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        changed[chance.randrange(start, stop)] ^= 1 << chance.randrange(8)
    return bytes(changed)


MUTATIONS: tuple[Mutation, ...] = (
    cut,
    flipped,
    flipped_at_an_end,
    overwritten,
    shifted,
    oversized,
    header_lies,
)


def seeds(folder: Path, legacy: Path) -> list[Path]:
    """The whole files: one of each layout, and one in PyTorch's old format."""
    return [*sorted(path for path in folder.iterdir() if path.suffix != ".yaml"), legacy]
