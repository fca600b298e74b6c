"""A file that is still arriving: it survives its process, and the next one goes on from there."""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path

from beats_trainer.pins.digest import new_hash

STALE_S = 600
BLOCK = 1 << 20


class Partial:
    """Bytes under a temporary name beside their destination, and their running digest.

    The name holds machine and process, so that a leftover can be told from a file that is being written even
    where file locks do nothing.
    """

    def __init__(self, destination: Path, algorithm: str) -> None:
        self.destination = destination
        self.algorithm = algorithm
        self._hash = new_hash(algorithm)
        owner = f"{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.path = destination.with_name(f"{destination.name}.{owner}.incomplete")
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
        self._file.close()
        self.path.replace(self.destination)

    def keep(self) -> None:
        """Stops here; what has arrived stays for the next attempt."""
        self._file.close()
        if self.path.exists() and not self.path.stat().st_size:
            self.path.unlink()

    def discard(self) -> None:
        """Removes the bytes."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _host() -> str:
    return "".join(c if c.isalnum() else "_" for c in socket.gethostname())[:40]


def _adopt(destination: Path, name: Path) -> None:
    """Renames the largest leftover of this file; the others go."""
    leftovers = [
        path for path in destination.parent.glob(f"{destination.name}.*-*-*.incomplete") if _is_left(path)
    ]
    leftovers.sort(key=_size, reverse=True)
    for path in leftovers:
        if name.exists():
            path.unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):  # another process took it, where locks do nothing
                path.replace(name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_left(path: Path) -> bool:
    host, _, rest = path.name.removesuffix(".incomplete").rpartition(".")[2].partition("-")
    pid = rest.partition("-")[0]
    if host == _host() and pid.isdigit() and os.name == "posix":
        return not _is_alive(int(pid))
    try:
        return time.time() - path.stat().st_mtime > STALE_S
    except FileNotFoundError:
        return False


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
