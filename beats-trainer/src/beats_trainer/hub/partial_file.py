"""A file that is still arriving: it survives its process, and the next one goes on from there."""

from __future__ import annotations

import os
import shutil
import socket
import time
import uuid
from contextlib import suppress
from enum import Enum, auto
from functools import cache
from hashlib import sha256
from pathlib import Path

from beats_trainer.pins.digest import new_hash

STALE_S = 600  # without a byte: its writer, on a machine that cannot be asked, may have gone
GONE_S = 86_400  # and now it has
BLOCK = 1 << 20
KERNEL, PROCESS = Path("/proc/sys/kernel"), Path("/proc/self/ns")  # of Linux
_own: set[Path] = set()  # what threads of this process write


class Fate(Enum):
    """What is known of whoever began a file."""

    LEFT = auto()
    DOUBTFUL = auto()  # silent for long, on a machine that cannot be asked
    WRITTEN = auto()


class Partial:
    """Bytes under a temporary name beside their destination, and their running digest.

    The name holds machine and process, so that a leftover can be told from a file that is being written even
    where file locks do nothing. What somebody may still write is never taken from them: it is copied at most.
    """

    def __init__(self, destination: Path, algorithm: str) -> None:
        self.destination = destination
        self.algorithm = algorithm
        self._hash = new_hash(algorithm)
        owner = f"{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.path = destination.with_name(f"{destination.name}.{owner}.incomplete")
        _own.add(self.path)
        _adopt(destination, self.path)
        self.answers = 0  # of which the bytes are made
        self._file = self.path.open("ab")
        self.size = self._file.tell()
        if self.size:
            self._hash_leftover()

    def _hash_leftover(self) -> None:
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                self._hash.update(block)

    def write(self, block: bytes) -> None:
        """Appends bytes."""
        self._file.write(block)
        self._hash.update(block)
        self.size += len(block)

    def restart(self) -> None:
        """Forgets all bytes."""
        self._file.truncate(0)
        self.size = self.answers = 0
        self._hash = new_hash(self.algorithm)

    @property
    def digest(self) -> str:
        """The digest of the bytes so far."""
        return self._hash.hexdigest()

    def finish(self) -> None:
        """Gives the file its name, all at once.

        It is not forced to the disk, which takes long: every load computes the digest anyway.
        """
        self._close()
        self.path.replace(self.destination)

    def keep(self) -> None:
        """Stops here; what has arrived stays for the next attempt."""
        self._close()
        if self.path.exists() and not self.path.stat().st_size:
            self.path.unlink()

    def discard(self) -> None:
        """Removes the bytes."""
        self._close()
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        self._file.close()
        _own.discard(self.path)


@cache
def _machine() -> str:
    """This machine; of containers with one name and equal processes, which one."""
    host = "".join(c if c.isalnum() else "_" for c in socket.gethostname())[:40]
    told = []
    for path in (KERNEL / "random" / "boot_id", PROCESS / "pid"):
        with suppress(OSError):
            told.append(str(path.readlink()) if path.is_symlink() else path.read_text(encoding="ascii"))
    return f"{host}_{sha256(''.join(told).encode()).hexdigest()[:8]}"


def _adopt(destination: Path, name: Path) -> None:
    """Goes on with the largest leftover of this file; what is left over for certain goes."""
    leftovers = [
        (_fate(path), path) for path in destination.parent.glob(f"{destination.name}.*-*-*.incomplete")
    ]
    leftovers.sort(key=lambda leftover: _size(leftover[1]), reverse=True)
    for fate, path in leftovers:
        with suppress(FileNotFoundError):  # another process took it
            if fate is Fate.LEFT:
                path.unlink() if name.exists() else path.replace(name)
            elif fate is Fate.DOUBTFUL and not name.exists():
                shutil.copyfile(path, name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _fate(path: Path) -> Fate:
    machine, _, rest = path.name.removesuffix(".incomplete").rpartition(".")[2].partition("-")
    pid = rest.partition("-")[0]
    if machine == _machine() and pid.isdigit() and int(pid) == os.getpid():
        return Fate.WRITTEN if path in _own else Fate.LEFT
    if machine == _machine() and pid.isdigit() and os.name == "posix":
        return Fate.WRITTEN if _is_alive(int(pid)) else Fate.LEFT
    try:
        silent_s = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return Fate.WRITTEN
    return Fate.LEFT if silent_s > GONE_S else Fate.DOUBTFUL if silent_s > STALE_S else Fate.WRITTEN


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
