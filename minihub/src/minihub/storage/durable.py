"""Files that are whole or absent, also after a power cut: written aside, synced, then renamed."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def place_file(source: Path, target: Path) -> None:
    """Move a written and synced file to its final name, durably."""
    new_folder = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    sync_folder(target.parent)
    if new_folder:
        sync_folder(target.parent.parent)


@contextlib.contextmanager
def draft_file(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in `folder`, open for writing, removed unless it was moved away."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / uuid.uuid4().hex
    try:
        with path.open("xb") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def sync_file(file: BinaryIO) -> None:
    """Make what was written to `file` durable."""
    file.flush()
    os.fsync(file.fileno())
