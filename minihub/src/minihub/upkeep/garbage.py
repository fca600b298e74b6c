"""Removes what nothing refers to any more, unless it is so young that an upload may be under way."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from minihub.state import State
from minihub.xet import hashes

GRACE_S = 24 * 3600


def collect_garbage(state: State, *, grace_s: float = GRACE_S) -> Iterator[tuple[str, int]]:
    """Remove unused blobs, xorbs and folders; gives the name and size of each."""
    used = state.lfs.used_oids()
    for oid in list(state.blobs.oids()):
        if oid not in used:
            yield from _remove(state.blobs.path(oid), f"blob {oid}", grace_s)
    for xorb in state.cas.unused_xorbs(used):
        path = state.cas.path(xorb)
        if path.exists() and _is_old(path, grace_s):
            state.cas.forget_xorb(xorb)
            yield from _remove(path, f"xorb {hashes.to_hex(xorb)}", grace_s)
    for path in list(state.cas.unknown_files()):
        yield from _remove(path, f"xorb {path.name}", grace_s)
    known = {repo.folder.name for repo in state.repos.all()}
    for folder in state.repos.folder.glob("*"):
        if folder.name not in known and _is_old(folder, grace_s):
            shutil.rmtree(folder)
            yield f"repository folder {folder.name}", 0


def _remove(path: Path, name: str, grace_s: float) -> Iterator[tuple[str, int]]:
    if _is_old(path, grace_s):
        size = path.stat().st_size
        path.unlink()
        yield name, size


def _is_old(path: Path, grace_s: float) -> bool:
    return path.stat().st_mtime <= time.time() - grace_s
