"""huggingface_hub's own cache: which of its files may be a given checkpoint, and how one leaves it."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from beats_trainer.place import Place

SHA256 = re.compile(r"[0-9a-f]{64}")


def cache_root(cache_dir: Path | None) -> Path:
    """The cache that is in use."""
    return Path(cache_dir or constants.HF_HUB_CACHE).expanduser()


def repo_folder(place: Place, cache_dir: Path | None) -> Path:
    """The folder of a repository in the cache."""
    return cache_root(cache_dir) / repo_folder_name(repo_id=place.repo_id, repo_type=place.repo_type)


def cached_copies(place: Place, cache_dir: Path | None) -> Iterator[Path]:
    """Cached files at this path of the repository: first of the revision that is asked for, then of any.

    The caller judges them by digest, so another revision's copy of the same bytes serves as well.
    """
    snapshots = repo_folder(place, cache_dir) / "snapshots"
    commit = cached_commit(place, cache_dir)
    asked = snapshots / commit / place.path if commit else None
    if asked is not None and asked.is_file():
        yield asked
    if snapshots.is_dir():
        for snapshot in sorted(snapshots.iterdir()):
            path = snapshot / place.path
            if path != asked and path.is_file():
                yield path


def cached_commit(place: Place, cache_dir: Path | None) -> str | None:
    """The commit that a revision was when it was last fetched."""
    if place.is_pinned:
        return place.revision
    ref = repo_folder(place, cache_dir) / "refs" / place.revision
    return ref.read_text(encoding="utf-8").strip() if ref.is_file() else None


def remember_commit(place: Place, commit: str, cache_dir: Path | None) -> None:
    """Notes which commit a branch or tag is now, as huggingface_hub does."""
    if place.is_pinned:
        return
    ref = repo_folder(place, cache_dir) / "refs" / place.revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit, encoding="utf-8")


def link_blob(blob: Path, snapshot: Path) -> None:
    """Files a blob under its name, as huggingface_hub does: a relative link, or the file itself."""
    link = snapshot.with_name(f"{snapshot.name}.{uuid.uuid4().hex[:8]}.link")
    try:
        link.symlink_to(os.path.relpath(blob, snapshot.parent))
    except OSError:
        blob.replace(snapshot)
    else:
        link.replace(snapshot)  # all at once: another process may be doing the same


def recorded_sha256(path: Path) -> str | None:
    """The SHA-256 under which the cache filed a snapshot's file, where it links to it."""
    if not path.is_symlink():
        return None
    name = path.readlink().name
    return name if SHA256.fullmatch(name) else None


def discard(path: Path) -> None:
    """Removes a snapshot's file and every link down to its bytes, so that the next fetch starts clean."""
    while path.is_symlink():
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    path.unlink(missing_ok=True)
