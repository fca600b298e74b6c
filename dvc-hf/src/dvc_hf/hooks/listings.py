"""Listings of directories are texts of somebody else: no name in one leads out of its folder."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dvc_hf.hub import names
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.promises import OID

Original = Callable[..., Any]
Key = tuple[str, ...]
_DRIVE = re.compile(r"[A-Za-z]:")
_OF_TOOLS = frozenset({".git", "git~1", ".hg", ".dvc"})  # DVC lists none; git, Mercurial and DVC obey them


def from_list(original: Original, entries: Any, *args: Any, **kwargs: Any) -> Any:
    """Read a listing, of a ``.dir`` object or of a ``.dvc`` file."""
    reason = next(_faults(entries), None)
    if reason:
        raise ListingError(reason)
    return original(entries, *args, **kwargs)


def load(original: Original, odb: Any, hash_info: Any, *args: Any, **kwargs: Any) -> Any:
    """Read a listing out of a cache or remote; what is wrong with it is said with its name."""
    try:
        return original(odb, hash_info, *args, **kwargs)
    except ListingError as error:
        raise ListingError(error.reason, hash_info.value) from None
    except RecursionError:
        reason = "it is nested too deep"
        raise ListingError(reason, hash_info.value) from None


class ListingError(RejectedError):
    """A directory's listing that cannot be what ``dvc add`` wrote."""

    def __init__(self, reason: str, name: str | None = None) -> None:
        listing = "listing of a .dvc file" if name is None else f"listing {names.quoted(name)}"
        super().__init__(
            f"cannot use the directory {listing}: {reason}. Nothing of it was written. "
            "DVC makes no such listing: do not trust where it came from."
        )
        self.reason = reason


def _faults(entries: Any) -> Iterator[str]:
    """What is wrong with a listing; the first says enough."""
    if not isinstance(entries, list):
        yield f"it should be a list of files, not {type(entries).__name__}"
        return
    for number, entry in enumerate(entries):
        reason = _fault(entry)
        if reason:
            yield f"entry {number} {reason}"
    yield from _doubles(tuple(entry["relpath"].split("/")) for entry in entries)


def _fault(entry: Any) -> str | None:
    """What is wrong with one file of a listing, if something is."""
    if not isinstance(entry, Mapping):
        return f"should be one file's names and values, not {type(entry).__name__}"
    relpath, oid = entry.get("relpath"), entry.get("md5")
    if not isinstance(relpath, str) or _leads_out(relpath):
        return f"has a 'relpath' that is no file inside the folder: {names.quoted(relpath)}"
    if oid is not None and not (isinstance(oid, str) and OID.fullmatch(oid)):
        return f"has an 'md5' that is none: {names.quoted(oid)}"
    if not isinstance(entry.get("size", 0), int):
        return f"has a 'size' that is no number: {names.quoted(str(entry['size']))}"
    return None


def _leads_out(relpath: str) -> bool:
    """Whether writing under this name, on any system, may reach beyond the folder or into a tool's own."""
    parts = relpath.split("/")
    return (
        "\0" in relpath
        or _DRIVE.fullmatch(parts[0]) is not None
        or any(part in ("", ".", "..") or _folded(part) in _OF_TOOLS for part in parts)
        or ".." in relpath.replace("\\", "/").split("/")
        or _is_windows_path(relpath)
    )


def _folded(part: str) -> str:
    """A name as file systems that see no case, nor dots and spaces at the end, see it."""
    return part.rstrip(" .").lower()


def _is_windows_path(relpath: str) -> bool:
    """Whether Windows reads more than plain names in this."""
    if os.name != "nt":
        return re.match(r"[A-Za-z]:\\|\\\\", relpath) is not None
    return "\\" in relpath or ":" in relpath or "" in map(_folded, relpath.split("/"))


def _doubles(keys: Iterable[Key]) -> Iterator[str]:
    files, folders = set[Key](), set[Key]()
    for key in keys:
        if key in files:
            yield f"it names {names.quoted('/'.join(key))} twice"
        files.add(key)
        folders.update(key[:depth] for depth in range(1, len(key)))
    for both in sorted(files & folders):
        yield f"{names.quoted('/'.join(both))} is a file and a folder in it"
