"""A file as it is now: what is mapped must neither change nor vanish, whoever writes to the file later.

A mapped file that is written to changes the weights that lie in it, and one that is cut short ends the
process (SIGBUS), for instance while trained weights are saved over it. So a copy without a name is mapped,
where the system has such; elsewhere, and where there is no room for one, the caller is not to map the file.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Snapshot:
    """Where the bytes are to be read, while it is open.

    Attributes:
        path: The file, or a copy of it that nobody else can reach.
        is_own: Whether it is such a copy: what is mapped from it stays as it is, also later.
    """

    path: Path
    is_own: bool


@contextmanager
def open_snapshot(path: Path) -> Iterator[Snapshot]:
    """A file's bytes for as long as they are mapped; the copy's room is free again when nothing is."""
    copy = _copied(path) if sys.platform.startswith("linux") else None
    if copy is None:
        yield Snapshot(path, is_own=False)
        return
    with copy:
        yield Snapshot(_place(copy), is_own=True)


def _copied(path: Path) -> IO[bytes] | None:
    """A copy without a name, made by the system itself; nothing where there is no room for it."""
    with ExitStack() as undo:
        try:
            copy = undo.enter_context(tempfile.TemporaryFile(prefix="beats-"))
            shutil.copyfile(path, _place(copy))
        except OSError:
            return None
        undo.pop_all()
        return copy


def _place(file: IO[bytes]) -> Path:
    return Path(f"/proc/self/fd/{file.fileno()}")
