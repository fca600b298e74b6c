"""`OWNER/REPO[@REVISION][/FILE]` in, a pin out: commit, size and digest as the Hub gives them."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled

from beats_trainer.errors import FetchError, PinError
from beats_trainer.foreign.measure import shown
from beats_trainer.hub.cache import cached_commit, filed_digests, remember_commit, repo_folder
from beats_trainer.hub.credential import address_of, headers_for
from beats_trainer.hub.errors import HUB_ERRORS, not_cached, translate_error
from beats_trainer.hub.response import open_answer
from beats_trainer.hub.retry import with_patience
from beats_trainer.pins.address import COMMIT_HASH, REPO_TYPES, SCHEME, Place, check_path, parse_place
from beats_trainer.pins.digest import SHA256
from beats_trainer.pins.pin import WEIGHTS, Pin

logger = logging.getLogger(__name__)

Kind = TypeVar("Kind")
LARGEST_DESCRIPTION = 50_000_000  # bytes: of a repository with some hundred thousand files
HEAD = "head.safetensors"  # beside the encoder that learnt with it: the head is what such a repository is for
KINDS = {kind: plural for plural, kind in REPO_TYPES.items()}


@dataclass(frozen=True)
class RepositoryFile:
    """One file in a repository; without a SHA-256 it is a small one.

    Raises:
        PinError: Its path leads out of the repository.
    """

    path: str
    size: int | None
    sha256: str

    def __post_init__(self) -> None:
        check_path(self.path, "the name of a file in a repository")


@dataclass(frozen=True)
class Repository:
    """A repository at one commit."""

    commit: str
    files: tuple[RepositoryFile, ...]
    card: dict[str, Any]

    def __post_init__(self) -> None:
        if not COMMIT_HASH.fullmatch(self.commit):
            _refuse("sha", self.commit)


class _NoDescriptionError(ValueError):
    """What came is not how a Hub describes a repository."""


def _refuse(field: str, got: str) -> NoReturn:
    message = f"its {field} is {shown(got)}"
    raise _NoDescriptionError(message)


def is_hub_name(name: str) -> bool:
    """Whether this is written as `OWNER/REPO[@REVISION]`, or as an `hf://` address."""
    if name.startswith(SCHEME):
        return True
    head = name.partition("@")[0]
    return head.count("/") == 1 and not name.startswith((".", "/", "~")) and "\\" not in name


def hub_name(name: str) -> str:
    """The one way to write such a name: `hf://alice/frogs@main` is `alice/frogs`."""
    return str(parse_place(name if name.startswith(SCHEME) else SCHEME + name)).removeprefix(SCHEME)


def resolve_name(name: str, cache_dir: Path | None = None, *, local_files_only: bool = False) -> Pin:
    """The pin of a file on the Hub that nobody has pinned; the Hub's word is taken for its digest.

    Raises:
        PinError: The repository holds none or several files of weights, and none is named.
        FetchError: The Hub cannot be asked.
    """
    place = parse_place(name if name.startswith(SCHEME) else SCHEME + name)
    if local_files_only or constants.HF_HUB_OFFLINE:
        return _cached(place, name, cache_dir)
    there = ask_hub(place, name)
    found = _one(place, [file for file in there.files if file.path.endswith(WEIGHTS)])
    pinned = replace(place, path=found.path, revision=there.commit)
    with suppress(OSError):  # a cache that cannot be written
        remember_commit(place, there.commit, cache_dir)
    logger.info("%s is %s, sha256 %s", name, pinned, found.sha256 or "unknown")
    return _pin(pinned, found, there.card)


def ask_hub(place: Place, label: str) -> Repository:
    """What a Hub says about a repository.

    Raises:
        FetchError: It cannot be asked, or what answers is no Hub.
    """
    try:
        body = with_patience(lambda: _ask(place), label)
        return _described(json.loads(body))
    except HUB_ERRORS as error:
        raise translate_error(error, place, label) from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, _NoDescriptionError) as error:
        raise _no_hub(error, place, label) from error


def _no_hub(error: Exception, place: Place, label: str) -> FetchError:
    message = (
        f"cannot fetch {label}: what answers for {place} at {address_of(place)} is no "
        f"Hub ({error}). Expected a description of the repository. Check HF_ENDPOINT, and whether a proxy "
        "(HTTPS_PROXY) or the page of a network stands between."
    )
    return FetchError(message)


def _ask(place: Place) -> bytes:
    if constants.HF_HUB_OFFLINE:
        message = "HF_HUB_OFFLINE is set"
        raise OfflineModeIsEnabled(message)
    revision = quote(place.revision, safe="")
    repo = f"{address_of(place)}/api/{KINDS[place.repo_type]}/{place.repo_id}"
    url = f"{repo}/revision/{revision}?blobs=true"
    # Without a limit of time a silent Hub is waited for without end, without one of size a talking one.
    with open_answer(url, headers_for(place), timeout=constants.HF_HUB_ETAG_TIMEOUT) as answer:
        return answer.whole(LARGEST_DESCRIPTION)


def _described(document: object) -> Repository:
    table = _typed(document, dict, "the document")
    listed = _typed(table.get("siblings") or [], list, "siblings")
    files = tuple(_found(_typed(entry, dict, "siblings")) for entry in listed)
    card = _typed(table.get("cardData") or {}, dict, "cardData")
    return Repository(_typed(table.get("sha"), str, "sha"), files, card)


def _found(entry: dict[str, Any]) -> RepositoryFile:
    size, large = entry.get("size"), _typed(entry.get("lfs") or {}, dict, "lfs")
    sha256 = _typed(large.get("sha256", ""), str, "sha256")
    if (sha256 and not SHA256.fullmatch(sha256)) or not _is_size(size):
        _refuse("size or sha256", f"{size} {sha256}")
    return RepositoryFile(_typed(entry.get("rfilename"), str, "rfilename"), size, sha256)


def _is_size(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _typed(value: object, kind: type[Kind], field: str) -> Kind:
    if not isinstance(value, kind):
        _refuse(field, type(value).__name__)
    return value


def _one(place: Place, files: list[RepositoryFile]) -> RepositoryFile:
    """The file that is named; else the only one at the top, safetensors before pickles."""
    if place.path:
        named = [file for file in files if file.path == place.path]
        if named:
            return named[0]
    else:
        top = [file for file in files if "/" not in file.path]
        safe = [file for file in top if file.path.endswith(".safetensors")]
        heads = [file for file in safe if file.path == HEAD and len(safe) == 2]
        for group in (safe, heads, top):
            if len(group) == 1:
                return group[0]
    held = ", ".join(file.path for file in files) or "none"
    message = (
        f"{place} does not say which file: expected one checkpoint, the repository holds {held}. "
        f"Name it: {SCHEME}OWNER/REPO@REVISION/FILE."
    )
    raise PinError(message)


def _pin(place: Place, found: RepositoryFile, card: dict[str, Any]) -> Pin:
    path = PurePosixPath(place.path)
    digests = {"sha256": found.sha256} if found.sha256 else {}
    meta = {"licence": _licence(card.get("license")), "origin": str(place)}
    return Pin(place.repo_id, path.name, found.size, digests, (place,), "", meta, "the Hub")


def _licence(said: object) -> str:
    """What a card says of its licence; one that says it in another form says nothing."""
    several = said if isinstance(said, list) else [said]
    return ", ".join(one for one in several if isinstance(one, str))


def _cached(place: Place, name: str, cache_dir: Path | None) -> Pin:
    """What an earlier fetch left: its commit, and the digest under which the cache filed the file."""
    commit = cached_commit(place, cache_dir)
    folder = repo_folder(place, cache_dir)
    snapshot = folder / "snapshots" / (commit or "none")
    paths = [path for path in sorted(snapshot.rglob("*")) if path.suffix in WEIGHTS and path.is_file()]
    files = [
        RepositoryFile(
            path.relative_to(snapshot).as_posix(),
            path.stat().st_size,
            filed_digests(path, folder).get("sha256", ""),
        )
        for path in paths
    ]
    if commit is None or not files:
        raise not_cached(place, name, "the network may not be used")
    found = _one(place, files)
    return _pin(replace(place, path=found.path, revision=commit), found, {})
