"""Which checkpoints exist: the pins of `BEATS_PINS`, what the project has published, what the package knows.

The first pin of a name says which bytes it means; later ones that may mean the same add the places to ask.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from beats_trainer.errors import FetchError, PinError, UnknownCheckpointError
from beats_trainer.pins.dvcfile import claimed_names, read_pin
from beats_trainer.pins.folders import shelf_pins
from beats_trainer.pins.pin import WEIGHTS, FolderPin, Pin

logger = logging.getLogger(__name__)

VARIABLE = "BEATS_PINS"
DEFAULT_CHECKPOINT = "BEATs_iter3_plus_AS2M"  # where no name is given
PACKAGE = Path(__file__).parent
KNOWN = PACKAGE / "known"
ReadListing = Callable[[FolderPin], bytes]


class Registry:
    """The pins in the order in which they are asked.

    Args:
        paths: `.dvc` files.
        read_listing: Brings the listing of a folder's pin; without it only the pins of single files count.
    """

    def __init__(self, paths: Iterable[Path] | None = None, read_listing: ReadListing | None = None) -> None:
        self._paths = tuple(pin_paths() if paths is None else paths)
        self._read_listing = read_listing
        self.unread: dict[str, str] = {}
        self.broken: dict[Path, PinError] = {}

    @cached_property
    def _documents(self) -> list[Pin | FolderPin]:
        """The pins that can be read; one that cannot does not hide the others."""
        documents = []
        for path in self._paths:
            try:
                documents.append(read_pin(path))
            except PinError as error:
                self.broken[path] = error
                self.unread[str(path)] = str(error)
        return documents

    def all(self) -> list[Pin]:
        """Every checkpoint, by order of precedence; pins and listings that cannot be read are in `unread`."""
        groups = []
        for document in self._documents:
            try:
                groups.append(self._entries(document))
            except (FetchError, PinError) as error:
                self.unread[document.origin] = str(error)
        return _first_of_each(pin for group in groups for pin in group)

    def _entries(self, document: Pin | FolderPin) -> list[Pin]:
        if isinstance(document, Pin):
            return [document]
        if document.held or not document.md5:
            return list(document.held)
        if self._read_listing is None:
            self.unread[document.origin] = "its listing was not asked for"
            return []
        return document.entries(self._read_listing(document))

    def find(self, name: str) -> Pin:
        """The pin of a checkpoint by its name, file name or alias; case does not matter.

        A listing that cannot be read is an error as soon as the search reaches it: else a name would mean
        other weights whenever the network is down.

        Raises:
            UnknownCheckpointError: There is none. The message has the near misses and all names.
            PinError: The name fits two different files, or that of a pin which cannot be read.
        """
        passed: list[Pin] = []
        documents = self._documents
        for path, error in self.broken.items():
            if name.casefold() in claimed_names(path):  # no other pin may take its name
                raise error
            logger.warning("a pin is left out: %s", error)
        for number, document in enumerate(documents, 1):
            entries = self._entries(document)
            matches = _matches(entries, name)
            if matches:
                return self._with_places(_only(matches, name), documents[number:])
            passed += entries
        aliased = [pin for pin in passed if _is_alias(pin, name)]
        if aliased:
            return self.find(aliased[0].filename)
        raise UnknownCheckpointError(self._unknown(name, passed))

    def _with_places(self, pin: Pin, later: list[Pin | FolderPin]) -> Pin:
        """A pin with the places of later ones of its file name that may mean the same bytes."""
        for document in later:
            for other in self._known_entries(document, pin):
                if other.filename.casefold() == pin.filename.casefold():
                    pin = pin.joined(other)
        return pin

    def _known_entries(self, document: Pin | FolderPin, pin: Pin) -> list[Pin]:
        """The pins of a document; a listing is worth a request only for what has no better pin than ours."""
        if isinstance(document, FolderPin) and Path(pin.origin).parent != KNOWN:
            return []
        try:
            return self._entries(document)
        except (FetchError, PinError) as error:
            logger.info("%s: no place is taken from %s: %s", pin.name, document.origin, error)
            return []

    def _unknown(self, name: str, pins: list[Pin]) -> str:
        names = sorted(pin.name for pin in pins)
        folded = {other.casefold(): other for other in names}
        near = [folded[n] for n in difflib.get_close_matches(name.casefold(), list(folded), 3, 0.6)]
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        unread = "".join(f" Not read: {origin} ({reason})." for origin, reason in self.unread.items())
        return f"no checkpoint is called {name!r}.{hint}{unread} Known: {', '.join(names) or 'none'}."


def pin_paths() -> list[Path]:
    """The `.dvc` files that make up the registry, by order of precedence."""
    named = [entry for entry in os.environ.get(VARIABLE, "").split(os.pathsep) if entry]
    paths = [path for entry in named for path in _expand(Path(entry).expanduser())]
    return paths + _published() + _expand(KNOWN) + shelf_pins()


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(child for child in path.glob("*.dvc") if child.is_file())
    if path.is_file():
        return [path]
    message = f"{VARIABLE} names {path}, which does not exist. Expected a .dvc file or a folder of them."
    raise PinError(message)


def _published() -> list[Path]:
    """The repository's own `checkpoints.dvc`: as the wheel carries it, or of the source tree that runs."""
    carried = PACKAGE / "published" / "checkpoints.dvc"
    if carried.is_file():
        return [carried]
    distribution = PACKAGE.parents[2]
    pin = distribution.parent / "checkpoints.dvc"
    return [pin] if (distribution / "pyproject.toml").is_file() and pin.is_file() else []


def _first_of_each(pins: Iterable[Pin]) -> list[Pin]:
    found: dict[str, Pin] = {}
    for pin in pins:
        found.setdefault(pin.filename.casefold(), pin)
    return list(found.values())


def _matches(pins: list[Pin], name: str) -> list[Pin]:
    wanted = name.casefold()
    with_suffix = wanted.endswith(WEIGHTS)
    return [pin for pin in pins if (pin.filename if with_suffix else pin.name).casefold() == wanted]


def _is_alias(pin: Pin, name: str) -> bool:
    return name.casefold() in {alias.casefold() for alias in pin.aliases}


def _only(matches: list[Pin], name: str) -> Pin:
    if len(matches) > 1:
        files = ", ".join(pin.filename for pin in matches)
        message = f"{name!r} fits {len(matches)} checkpoints: {files}. Say which one, with its suffix."
        raise PinError(message)
    return matches[0]
