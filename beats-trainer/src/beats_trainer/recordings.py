"""Which recordings are meant by the paths of a command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_NAMES = "aif aifc aiff au caf flac mp3 oga ogg opus rf64 snd sph voc w64 wav wave"
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())


def find_recordings(paths: Iterable[Path]) -> list[Path]:
    """Files as they are named, and every recording in the folders, by name; each once.

    Raises:
        FileNotFoundError: A path does not exist, or none holds a recording.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            message = f"there is no file or folder {path}. Expected recordings or folders of recordings."
            raise FileNotFoundError(message)
        found.update(dict.fromkeys(_in_folder(path) if path.is_dir() else [path]))
    if not found:
        message = f"no recordings found. Looked for files that end in {', '.join(sorted(SUFFIXES))}."
        raise FileNotFoundError(message)
    return list(found)


def _in_folder(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
