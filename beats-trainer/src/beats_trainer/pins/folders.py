"""Folders of checkpoints on this machine or a shared disk; files in them are known by digest only."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from beats_trainer.pins.digest import is_file_of
from beats_trainer.pins.dvcconfig import find_config
from beats_trainer.pins.pin import FOLDER, WEIGHTS, Pin, object_path

logger = logging.getLogger(__name__)

VARIABLE = "BEATS_CHECKPOINTS"


def checkpoint_folders() -> list[Path]:
    """The folders of `BEATS_CHECKPOINTS`, then the one that `beats bundle install` fills."""
    named = [Path(entry).expanduser() for entry in os.environ.get(VARIABLE, "").split(os.pathsep) if entry]
    return [folder for folder in [*named, default_shelf()] if folder.is_dir()]


def default_shelf() -> Path:
    """Where carried checkpoints go unless somebody says otherwise."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.path.expandvars(home)).expanduser() / "beats"


def shelf_pins() -> list[Path]:
    """The pins that lie on the shelves beside their files."""
    return [path for shelf in checkpoint_folders() for path in sorted(shelf.glob("*.dvc"))]


def shelf_copy(pin: Pin) -> Path | None:
    """A file on a shelf, or in the DVC cache beside the pin, whose bytes are those of the pin."""
    if not pin.digests:
        return None
    for path in _candidates(pin):
        try:
            if is_file_of(path, pin.size, pin.digests):
                return path
        except OSError as error:
            logger.warning("%s: cannot read %s: %s", pin.name, path, error)
    return None


def shelved_files(pin: Pin) -> list[Path]:
    """Files on the shelves that have the name of a pin's; only their digest can tell whether they are it."""
    files = (path for shelf in checkpoint_folders() for path in shelf.rglob("*"))
    return [path for path in files if path.name == pin.filename and path.is_file()]


def _candidates(pin: Pin) -> Iterator[Path]:
    yield from _dvc_copies(pin)
    for shelf in checkpoint_folders():
        files = [
            path for path in sorted(shelf.rglob("*")) if path.suffix in (*WEIGHTS, FOLDER) and path.is_file()
        ]
        yield from sorted(files, key=lambda path: path.name != pin.filename)


def _dvc_copies(pin: Pin) -> Iterator[Path]:
    """What `dvc pull` has already brought into the repository of the pin."""
    md5 = pin.digests.get("md5")
    config = find_config(Path(pin.origin)) if md5 and pin.origin else None
    if not (md5 and config):
        return
    suffix = FOLDER if pin.filename.endswith(FOLDER) else ""
    for folder in config.cache_folders():
        for is_legacy in (False, True):  # DVC 3 keeps using what DVC 2 has left
            path = folder / (object_path(md5, is_legacy=is_legacy) + suffix)
            if path.is_file():
                yield path
