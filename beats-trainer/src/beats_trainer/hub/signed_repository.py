"""A fetched file, held against the signature of the repository that it came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from huggingface_hub import constants

from beats_trainer.errors import DigestMismatchError, FetchError
from beats_trainer.hub.cache import filed_digests, repo_folder
from beats_trainer.hub.download import Transfer
from beats_trainer.hub.errors import not_cached
from beats_trainer.hub.lookup import ask_hub
from beats_trainer.hub.signature import NAME, PublicKey, check_signature
from beats_trainer.pins.address import Place
from beats_trainer.pins.digest import check_file, file_digest
from beats_trainer.pins.pin import Pin


def check_signed(
    path: Path, pin: Pin, key: PublicKey, cache_dir: Path | None, *, local_files_only: bool = False
) -> None:
    """Refuses a file that is not the one which the owner of a key signed.

    A signature covers all files of its repository: those that are not in the cache are fetched. What is
    there and fits is believed without asking anybody.

    Raises:
        DigestMismatchError: Nobody signed it, or somebody else, or a file is not as it was signed.
        NotCachedError: The signature is not here, and the network may not be used.
        MissingExtraError: model-signing is not installed.
    """
    place = _origin(path, pin, cache_dir)
    folder = repo_folder(place, cache_dir) / "snapshots" / place.revision
    try:
        check_signature(folder, key, str(place))
    except DigestMismatchError:
        if not (local_files_only or constants.HF_HUB_OFFLINE):
            place = _complete(pin, place, cache_dir)
        elif not (folder / NAME).is_file():
            raise not_cached(place, f"the signature of {pin.name}", "the network may not be used") from None
        folder = repo_folder(place, cache_dir) / "snapshots" / place.revision
        check_signature(folder, key, str(place))
    signed = folder / place.path
    if signed != path:  # a copy on a shelf
        check_file(path, pin.name, None, {"sha256": file_digest(signed, "sha256")})


def _origin(path: Path, pin: Pin, cache_dir: Path | None) -> Place:
    """Where a file came from, with the commit; the first source for one that lies elsewhere."""
    for place in pin.sources:
        snapshots = repo_folder(place, cache_dir) / "snapshots"
        if snapshots in path.parents:
            return replace(place, revision=path.relative_to(snapshots).parts[0])
    if not pin.sources:
        message = (
            f"{pin.name} has a key and no place: its pin names no Hub repository, so nobody can look for "
            "the signature. Name one in meta.sources, or take the key out of the pin."
        )
        raise FetchError(message)
    return pin.sources[0]


def _complete(pin: Pin, place: Place, cache_dir: Path | None) -> Place:
    """Brings every file of a repository; returns the place at its commit."""
    there = ask_hub(place, pin.name)
    pinned = replace(place, revision=there.commit)
    folder = repo_folder(pinned, cache_dir)
    for file in there.files:
        if not _is_here(folder / "snapshots" / there.commit / file.path, folder, file.sha256):
            digests = {"sha256": file.sha256} if file.sha256 else {}
            wanted = Pin(f"{pin.name}, {file.path}", Path(file.path).name, file.size, digests)
            Transfer(wanted, replace(pinned, path=file.path), cache_dir).run()
    return pinned


def _is_here(path: Path, folder: Path, sha256: str) -> bool:
    """Whether a large file is in the cache; small ones are asked for again, and cost one request."""
    return bool(sha256) and path.is_file() and filed_digests(path, folder).get("sha256") == sha256
