"""One process for each part of an output folder: refused while another is at work on the same recordings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from beats_trainer.recordings.sources import Shard


@contextmanager
def lock_shard(folder: Path, shard: Shard) -> Iterator[None]:
    """Hold a shard of a folder; the operating system lets go of it when the process ends, however it ends.

    Shards of one division run side by side. Shards of two divisions (1/2 and 1/3) have recordings in common,
    so they exclude each other.

    Raises:
        BlockingIOError: Another process is at work on this shard, or on another division.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / _file_name(shard)
    lock = FileLock(own, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise _busy(folder, shard) from error
    try:
        for other in sorted(folder.glob("*-of-*.lock")):
            if _division(other) != shard.count and _is_held(other):
                raise _busy(folder, shard, other.stem.replace("-of-", "/"))
        yield
    finally:
        lock.release()


def _file_name(shard: Shard) -> str:
    return f"{shard.index}-of-{shard.count}.lock"


def _division(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _is_held(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _busy(folder: Path, shard: Shard, other: str | None = None) -> BlockingIOError:
    holder = f"shard {other}" if other else f"shard {shard}" if shard.count > 1 else "it"
    message = (
        f"{folder.parent.parent}: another process is at work on {holder}. Wait for it or end it; "
        "to work side by side, start each with its own --shard K/N of one N."
    )
    return BlockingIOError(message)
