"""huggingface_hub's own cache: which of its files may be a given checkpoint, and how one leaves it."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from beats_trainer.atomic import written_whole
from beats_trainer.hub.credential import is_known
from beats_trainer.pins.address import COMMIT_HASH, Place
from beats_trainer.pins.digest import GIT_SHA1, SHA256, is_file_of, strongest_digest

OBJECT = re.compile(r"(?:.*/)?files/md5/([0-9a-f]{2})/([0-9a-f]{30})(?:\.dir)?")
NO_LINKS = "HF_HUB_DISABLE_SYMLINKS"
RECORDS = ".digests"


class Verdict(Enum):
    """What is known of a cached file."""

    VERIFIED = auto()  # its bytes are those that are wanted
    DIFFERENT = auto()  # its bytes are not those that the cache filed: it is damaged
    UNKNOWN = auto()  # it is another file, or nobody has said what it should be: it stays where it is


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
    asked = asked_copy(place, cache_dir)
    if asked is not None:
        yield asked
    if snapshots.is_dir():
        for snapshot in sorted(snapshots.iterdir()):
            path = snapshot / place.path
            if path != asked and path.is_file():
                yield path


def asked_copy(place: Place, cache_dir: Path | None) -> Path | None:
    """The cached file of the very revision that is asked for."""
    commit = cached_commit(place, cache_dir)
    path = repo_folder(place, cache_dir) / "snapshots" / (commit or "none") / place.path
    return path if commit and path.is_file() else None


def cached_commit(place: Place, cache_dir: Path | None) -> str | None:
    """The commit that a revision was when it was last fetched."""
    if place.is_pinned:
        return place.revision
    ref = repo_folder(place, cache_dir) / "refs" / place.revision
    commit = ref.read_text(encoding="utf-8", errors="replace").strip() if ref.is_file() else ""
    return commit if COMMIT_HASH.fullmatch(commit) else None


def remember_commit(place: Place, commit: str, cache_dir: Path | None) -> None:
    """Notes which commit a branch or tag is now, as huggingface_hub does.

    Not on the word of an address that the user has not named: the cache, which has one note for all Hubs,
    would take its branch for that of the user's Hub.
    """
    if place.is_pinned or not is_known(place):
        return
    ref = repo_folder(place, cache_dir) / "refs" / place.revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit, encoding="utf-8")


def link_blob(blob: Path, snapshot: Path) -> None:
    """Files a blob under its name, as huggingface_hub does: a relative link, or the file itself."""
    link = snapshot.with_name(f"{snapshot.name}.{uuid.uuid4().hex[:8]}.link")
    if getattr(constants, NO_LINKS, False):  # old clients do not know it
        _move_blob(blob, snapshot)
        return
    try:
        link.symlink_to(os.path.relpath(blob, snapshot.parent))
    except OSError:
        _move_blob(blob, snapshot)
    else:
        link.replace(snapshot)  # all at once: another process may be doing the same


def _move_blob(blob: Path, snapshot: Path) -> None:
    try:
        blob.replace(snapshot)
    except FileNotFoundError:
        if not snapshot.is_file():  # else somebody who asked at the same time has done it
            raise


def judge_copy(path: Path, folder: Path, size: int | None, digests: Mapping[str, str]) -> Verdict:
    """Compares a cached file with what is wanted, and with what the cache filed it as.

    Only a file that is not what it was filed as is known to be wrong. What a pin says of it is no proof: the
    pin may be of another revision, or of somebody else.

    Args:
        path: A file of a snapshot.
        folder: That of its repository.
        size: The bytes that are wanted, if that is known.
        digests: Those that are wanted, if any.
    """
    filed, wanted = filed_digests(path, folder), strongest_digest(digests)
    if wanted and filed and wanted[0] in filed and filed[wanted[0]] != wanted[1]:
        return Verdict.UNKNOWN
    if is_file_of(path, size, digests or filed):
        return Verdict.VERIFIED
    return Verdict.UNKNOWN if not filed or is_file_of(path, None, filed) else Verdict.DIFFERENT


def filed_digests(path: Path, folder: Path) -> dict[str, str]:
    """The digest under which the cache filed a snapshot's file; nothing where it has kept none.

    It is the name of the blob that the file links to. A file without a link, as in caches on disks that have
    none, has it beside the snapshots; and an object of DVC's has it in its own name.
    """
    name = path.readlink().name if path.is_symlink() else ""
    noted = _noted(path, folder)
    own = OBJECT.fullmatch(path.as_posix())
    if SHA256.fullmatch(name) or noted:
        return {"sha256": noted if not SHA256.fullmatch(name) else name}
    if GIT_SHA1.fullmatch(name):
        return {"git": name}
    return {"md5": own[1] + own[2]} if own else {}


def note_digest(path: Path, folder: Path, sha256: str) -> None:
    """Keeps the digest of a file that is no link; a cache that cannot be written keeps none."""
    if path.is_symlink() or _noted(path, folder) == sha256:
        return
    record = _record(path, folder)
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(record) as temporary:
            temporary.write_text(sha256, encoding="ascii")


def _noted(path: Path, folder: Path) -> str:
    record = _record(path, folder)
    if path.is_symlink() or not record.is_file():
        return ""
    text = record.read_text(encoding="utf-8", errors="replace").strip()
    return text if SHA256.fullmatch(text) else ""


def _record(path: Path, folder: Path) -> Path:
    # Not in the snapshot: there it would be a file of the repository.
    return folder / RECORDS / path.relative_to(folder / "snapshots")


def discard_copy(path: Path, folder: Path) -> None:
    """Removes a snapshot's file so that the next fetch starts clean, and what the cache holds it by.

    A link goes itself, and with it the blob of this repository that it leads to; what lies elsewhere stays.
    """
    target = path.parent.resolve() / path.readlink() if path.is_symlink() else None
    record, blobs = _record(path, folder), folder / "blobs"
    path.unlink(missing_ok=True)
    record.unlink(missing_ok=True)
    if target is not None and target.parent.resolve() == blobs.resolve():
        (blobs / target.name).unlink(missing_ok=True)
