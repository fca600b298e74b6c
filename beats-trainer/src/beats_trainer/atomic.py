"""Files and folders that readers find whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Gives a path to write to; what is there when the block ends takes the name of `target` at once.

    If the block fails, what it wrote is gone, and what was at `target` is as it was.
    """
    # Under its own name in a hidden folder: its suffix stays, and no name becomes too long for the disk.
    with TemporaryDirectory(dir=target.parent, prefix=".", suffix=".incomplete") as folder:
        path = Path(folder, target.name)
        yield path
        path.replace(target)
