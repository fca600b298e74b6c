"""A name or a pin in, a verified local file out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from huggingface_hub import constants

from beats_trainer.bar import Bar
from beats_trainer.errors import AccessError, DigestMismatchError, FetchError, UnknownCheckpointError
from beats_trainer.hub.cache import (
    Verdict,
    asked_copy,
    cached_copies,
    discard_copy,
    filed_digests,
    judge_copy,
    note_digest,
    repo_folder,
)
from beats_trainer.hub.download import Progress, Transfer
from beats_trainer.hub.errors import not_cached
from beats_trainer.hub.lookup import hub_name, is_hub_name, resolve_name
from beats_trainer.hub.signature import PublicKey, need_signing, read_key
from beats_trainer.hub.signed_repository import check_signed
from beats_trainer.pins.digest import check_file, file_digest
from beats_trainer.pins.folders import shelf_copy, shelf_pins
from beats_trainer.pins.pin import FolderPin, Pin
from beats_trainer.pins.registry import Registry

logger = logging.getLogger(__name__)

Trust = Literal["pinned", "hub"]


def fetch_checkpoint(
    name: str | Pin,
    *,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    progress: Progress | None = None,
    trust: Trust = "hub",
    allow_noncommercial: bool = False,
    key: str | Path | None = None,
) -> Path:
    """Returns a local file whose size and digest are those of the pin, fetching it when it is not here.

    The digest is computed on every call, also for a file that has been here for long.

    Args:
        name: The name of a pin, `OWNER/REPO[@REVISION][/FILE]`, or a pin.
        cache_dir: huggingface_hub's own cache unless given.
        local_files_only: Fails instead of using the network.
        progress: Is called with the bytes that are there, and the size where it is known; a bar is shown
            without it, where stderr is a terminal or a notebook.
        trust: `hub` takes the Hub's word for files that no pin names; `pinned` refuses these.
        allow_noncommercial: Accepts a licence that forbids commercial use.
        key: A public key, PEM, whose owner must have signed the repository; else that of the pin, if any.

    Raises:
        UnknownCheckpointError: No pin has this name.
        NotCachedError: The file is not here and the network may not be used.
        DigestMismatchError: The bytes are not those of the pin, and have been removed; or the signature
            that is asked for does not hold.
        MissingExtraError: A signature is asked for, and model-signing is not installed.
        AccessError: The Hub, or the licence, does not let you.
    """
    cache = Path(cache_dir).expanduser() if cache_dir is not None else None
    asked = _read(key)
    pin = (
        name if isinstance(name, Pin) else trusted_pin(name, trust, cache, local_files_only=local_files_only)
    )
    _may_use(pin, trust, allow_noncommercial)
    owner = asked or required_signer(pin)
    found = _brought(pin, cache, progress, local_files_only=local_files_only)
    if owner is not None:
        check_signed(found, pin, owner, cache, local_files_only=local_files_only)
    return found


def required_signer(pin: Pin) -> PublicKey | None:
    """Whose signature a pin asks for, if anybody's."""
    if not pin.key:
        return None
    need_signing()
    return PublicKey(pin.key, f"meta.key of {pin.origin}")


def _read(key: str | Path | None) -> PublicKey | None:
    if key is None:
        return None
    need_signing()
    return read_key(key)


def _brought(pin: Pin, cache: Path | None, progress: Progress | None, *, local_files_only: bool) -> Path:
    found = local_copy(pin, cache)
    if found is not None:
        return found
    if local_files_only or constants.HF_HUB_OFFLINE:
        first_seen = _first_seen(pin, cache)
        if first_seen is not None:
            return first_seen
        reason = (
            "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "`local_files_only` forbids the network"
        )
        raise not_cached(next(iter(pin.sources), None), pin.name, reason)
    return _from_sources(pin, cache, progress)


def trusted_pin(
    name: str, trust: Trust, cache_dir: Path | None = None, *, local_files_only: bool = False
) -> Pin:
    """The pin of a name; one that only the Hub vouches for is refused where `trust` is `pinned`."""
    if trust == "pinned" and is_hub_name(name):
        raise _unpinned(name)
    return find_checkpoint(name, cache_dir, local_files_only=local_files_only)


def find_checkpoint(name: str, cache_dir: Path | None = None, *, local_files_only: bool = False) -> Pin:
    """The pin of a name; reads the listings of folder pins, from the network where it must.

    `OWNER/REPO[@REVISION]` is looked up on the Hub; where that cannot be asked, among what was carried here.
    """
    if is_hub_name(name):
        try:
            return resolve_name(name, cache_dir, local_files_only=local_files_only)
        except FetchError as error:
            return _carried(name, error)

    def read_listing(folder: FolderPin) -> bytes:
        path = fetch_checkpoint(
            folder.listing, cache_dir=cache_dir, local_files_only=local_files_only, progress=_unshown
        )
        return path.read_bytes()

    return Registry(read_listing=read_listing).find(name)


def _carried(name: str, error: FetchError) -> Pin:
    """What `beats bundle install` brought under a name of the Hub, where the Hub itself gives no answer."""
    if isinstance(error, AccessError):
        raise error
    try:
        pin = Registry(shelf_pins()).find(hub_name(name))
    except UnknownCheckpointError:
        raise error from error.__cause__
    logger.info("%s is taken as it was carried here: %s", name, error)
    return pin


def list_checkpoints() -> list[str]:
    """The names of all known checkpoints."""
    return [pin.name for pin in known_checkpoints()]


def known_checkpoints(*, local_files_only: bool = False) -> list[Pin]:
    """The pins of all known checkpoints. A listing that cannot be read is logged and left out."""

    def read_listing(folder: FolderPin) -> bytes:
        path = fetch_checkpoint(folder.listing, local_files_only=local_files_only, progress=_unshown)
        return path.read_bytes()

    registry = Registry(read_listing=read_listing)
    pins = registry.all()
    for origin, reason in registry.unread.items():
        logger.warning("%s is left out: %s", origin, reason)
    return pins


def local_copy(pin: Pin, cache_dir: Path | None = None) -> Path | None:
    """A verified copy that is already on this machine. A damaged one in the cache is removed."""
    shelved = shelf_copy(pin)
    if shelved is not None:
        return shelved
    for path, folder, verdict in _judged(pin, cache_dir):
        if verdict is Verdict.VERIFIED:
            return path
        if verdict is Verdict.DIFFERENT:
            logger.warning("%s: the cached file %s is damaged and is removed", pin.name, path)
            _remove(path, folder, pin)
    return None


def damaged_copies(pin: Pin, cache_dir: Path | None = None) -> Iterator[Path]:
    """Cached files that are not what they were stored as; they stay where they are."""
    for path, _, verdict in _judged(pin, cache_dir):
        if verdict is Verdict.DIFFERENT:
            yield path


def _judged(pin: Pin, cache_dir: Path | None) -> Iterator[tuple[Path, Path, Verdict]]:
    """The cached files that may be a checkpoint, the folders of their repositories, and what they are."""
    for place in pin.sources:
        folder = repo_folder(place, cache_dir)
        for path in cached_copies(place, cache_dir):
            yield path, folder, judge_copy(path, folder, pin.size, pin.digests)


def _first_seen(pin: Pin, cache_dir: Path | None) -> Path | None:
    """A cached file of the very commit, where neither pin nor cache has a digest, and nobody can be asked.

    From now on it has one: that of its bytes as they are.
    """
    for place in pin.sources if not pin.digests else ():
        path, folder = asked_copy(place, cache_dir), repo_folder(place, cache_dir)
        if path is not None and not filed_digests(path, folder) and pin.size in (None, path.stat().st_size):
            sha256 = file_digest(path, "sha256")
            note_digest(path, folder, sha256)
            logger.warning("%s: no digest of %s was kept; from now on it is %s", pin.name, path, sha256)
            return path
    return None


def _remove(path: Path, folder: Path, pin: Pin) -> None:
    try:
        discard_copy(path, folder)
    except OSError as error:
        message = (
            f"{path} is not {pin.name}: its bytes are damaged, and it cannot be removed ({error}). "
            "Remove it, or set HF_HUB_CACHE to a cache of your own."
        )
        raise DigestMismatchError(message) from error


def _may_use(pin: Pin, trust: Trust, allow_noncommercial: bool) -> None:
    if pin.noncommercial and not allow_noncommercial:
        message = (
            f"{pin.name} has the licence {pin.licence}, which forbids commercial use. If yours is none, "
            "say so: allow_noncommercial=True, or --allow-noncommercial."
        )
        raise AccessError(message)
    if not pin.digests:
        if trust == "pinned":
            raise _unpinned(pin.name)
        logger.warning("%s: no digest is pinned; the Hub's word is taken for it", pin.name)


def _unpinned(name: str) -> FetchError:
    message = (
        f"no digest is pinned for {name}, and only pinned files are trusted. Write a pin with `beats pin`, "
        "or take the Hub's word with trust='hub'."
    )
    return FetchError(message)


def _from_sources(pin: Pin, cache_dir: Path | None, progress: Progress | None) -> Path:
    """Tries each source; the digest is the judge, so any mirror serves."""
    failures: list[FetchError] = []
    for place in pin.sources:
        try:
            with _told(pin, progress) as told:
                path = Transfer(pin, place, cache_dir, told).run()
            return _checked(path, pin, repo_folder(place, cache_dir))
        except FetchError as error:
            failures.append(error)
            logger.info("%s: %s", pin.name, error)
    if len(failures) == 1:
        raise failures[0]
    raise _no_source(pin, failures)


def _unshown(done: int, total: int | None) -> None:
    """A listing is small, and nobody asked for it: no bar of its own."""


@contextmanager
def _told(pin: Pin, progress: Progress | None) -> Iterator[Progress]:
    """Who hears of the bytes: who asked to; else a bar, where somebody looks on."""
    bar = Bar(pin.name)
    try:
        yield bar if progress is None else progress
    finally:
        bar.close()


def _checked(path: Path, pin: Pin, folder: Path) -> Path:
    try:
        check_file(path, pin.name, pin.size, pin.digests)
    except DigestMismatchError:
        if judge_copy(path, folder, None, {}) is Verdict.DIFFERENT:
            _remove(path, folder, pin)
        raise
    return path


def _no_source(pin: Pin, failures: list[FetchError]) -> FetchError:
    if not failures:
        message = (
            f"nobody has said where {pin.name} lies: its pin names no Hub repository. Bring it with "
            "`dvc pull`, or put it into a folder of BEATS_CHECKPOINTS; it is recognised by its digest."
        )
        return FetchError(message)
    reasons = "".join(f"\n- {failure}" for failure in failures)
    return type(failures[0])(f"none of the {len(failures)} sources of {pin.name} has it:{reasons}")
