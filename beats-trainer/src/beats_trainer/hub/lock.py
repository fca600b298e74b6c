"""The lock under which a file enters the cache: huggingface_hub's, waited for while its holder gets on."""

from __future__ import annotations

import errno
import inspect
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

TOLD_S = 5  # of waiting, before a word is said
IDLE_S = 20  # in which the holder's file does not change
EVERYBODY = 0o664  # a shared cache has several users
# What file systems without locks answer: some NFS, FUSE and cluster mounts.
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
# A lock that is nothing but a file outlives its holder: it is worse than none.
SOFT = "fallback_to_soft"  # of new versions of filelock
HARD: dict[str, Any] = {SOFT: False} if SOFT in inspect.signature(FileLock.__init__).parameters else {}

logger = logging.getLogger(__name__)


@contextmanager
def cache_lock(path: Path, destination: Path) -> Iterator[None]:
    """Holds the lock, so that processes that ask at once fetch once.

    None of them needs it: each fetches under a name of its own, judged by digest, renamed at the end. So
    without locks, or where the holder is stuck, it goes on without.

    Args:
        path: The file of the lock.
        destination: The file that is fetched under it.
    """
    with ExitStack() as stack:
        try:
            lock = FileLock(path, mode=EVERYBODY, **HARD)
            if _is_held_in_time(lock, path, destination):
                stack.callback(lock.release)
        except (NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in NO_LOCKS:
                raise
            logger.warning("%s cannot be locked (%s): processes that ask at once fetch twice", path, error)
        yield


def _is_held_in_time(lock: FileLock, path: Path, destination: Path) -> bool:
    """Whether the lock is ours; waits as long as the bytes of whoever has it keep coming."""
    told, moved, seen = _after(TOLD_S), _after(IDLE_S), _progress_of(destination)
    while True:
        try:
            lock.acquire(timeout=1)
        except Timeout:
            now = _progress_of(destination)
            if now != seen:
                moved, seen = _after(IDLE_S), now
            if told():
                logger.warning("%s is held by %s: waiting", path, _holder_of(destination))
                told = _never
            if moved():
                logger.warning("%s: going on without it, for nothing came in %s s", path, IDLE_S)
                return False
        else:
            return True


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _never() -> bool:
    return False


def arriving(destination: Path) -> list[Path]:
    """What is being written of a file, by us or by huggingface_hub."""
    return sorted(destination.parent.glob(f"{destination.name}*.incomplete"))


def _progress_of(destination: Path) -> list[tuple[str, int, int]]:
    found = []
    for path in arriving(destination):
        try:
            status = path.stat()
        except OSError:  # it has just become the file
            continue
        found.append((path.name, status.st_size, status.st_mtime_ns))
    return found


def _holder_of(destination: Path) -> str:
    """Who writes the file, as far as the names beside it tell."""
    names = [path.name.removeprefix(f"{destination.name}.") for path in arriving(destination)]
    return f"whoever writes {', '.join(names)}" if names else "another process"
