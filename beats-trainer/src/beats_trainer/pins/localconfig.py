"""`.dvc/config.local`: what the user says beside a repository, and not what came with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

LONGEST_S = 10


def came_along(path: Path) -> bool:
    """Whether git has the file: then it came with the repository, from whoever wrote that.

    Where git cannot say, a file in a repository of git's is taken for one that did.
    """
    wanted = f":(top,icase,glob)**/{path.name}"  # on many disks `CONFIG.LOCAL` of the index is the same file
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--full-name", wanted]
    # Nor may a repository's own settings name a program to fetch with.
    env = os.environ | {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
    try:
        done = subprocess.run(
            command, cwd=path.parent, env=env, capture_output=True, check=False, timeout=LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return _is_in_git(path)
    if done.returncode:
        return _is_in_git(path)
    tracked = [name for name in done.stdout.decode(errors="replace").casefold().split("\0") if name]
    return any(f"/{place}".casefold().endswith(f"/{name}") for name in tracked for place in _places(path))


def _places(path: Path) -> set[str]:
    """Where the file is, and where it is if that is a link."""
    return {path.absolute().as_posix(), path.resolve().as_posix()}


def _is_in_git(path: Path) -> bool:
    return any((folder / ".git").exists() for folder in path.resolve().parents)
