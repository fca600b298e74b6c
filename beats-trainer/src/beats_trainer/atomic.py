"""Files and folders that readers find whole or not at all; a disk that is full is said by its place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Gives a path to write to; what is there when the block ends takes the name of `target` at once.

    If the block fails, what it wrote is gone, and what was at `target` is as it was.

    Raises:
        OSError: The disk is full, as said by `room_for`.
    """
    # Under its own name in a hidden folder: its suffix stays, and no name becomes too long for the disk.
    again = "What was there before is as it was. Free some room, then run it again."
    with (
        room_for(target, again),
        TemporaryDirectory(dir=target.parent, prefix=".", suffix=".incomplete") as folder,
    ):
        path = Path(folder, target.name)
        yield path
        path.replace(target)


@contextmanager
def room_for(target: Path, remedy: str) -> Iterator[None]:
    """Says of a full disk which one it is, and what to do: the system names neither.

    Raises:
        OSError: There was no room; `errno` is the system's, the message ends in `remedy`.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        message = f"{os.strerror(error.errno)}: {target} cannot be written. {remedy}"
        raise OSError(error.errno, message) from error
