"""DVC's configuration on all its levels, read as DVC reads it, without DVC."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
from configobj import ConfigObj, ConfigObjError

from beats_trainer.errors import PinError
from beats_trainer.foreign.texts import Field, Text, bounded_field, decode_text, read_bytes
from beats_trainer.pins.address import SCHEME, Place, place_of
from beats_trainer.pins.localconfig import came_along

FOLDER = ".dvc"
NAMED_REMOTE = re.compile(r'\s*remote\s*"(.*)"\s*')
OTHER_REMOTE = "remote://"
LONGEST_LINE = 1_000  # for each bracket ConfigObj reads the rest of its line anew
REMEDY = "Repair it with `dvc remote modify`."


@dataclass(frozen=True)
class Remote:
    """A remote on a Hub.

    Args:
        is_plain: Its files lie under their own names, not as objects: `version_aware` and `worktree`.
        publish: The folder of the workspace that it also shows under its own names; empty if none.
    """

    name: str
    root: Place
    is_plain: bool
    publish: str = ""


@dataclass(frozen=True)
class Setting:
    """What one level says; `by_user` where it is the user's own, and did not come with the repository."""

    field: Field
    folder: Path
    by_user: bool

    def text(self) -> str:
        """The value, which nothing is put into: DVC lets ConfigObj replace `%(NAME)s`."""
        text = self.field.text()
        if "%(" in text:
            self.field.refuse("a text without %( )")
        return text


Section = dict[str, Setting]


class DvcConfig:
    """What the levels say together: system, global, the repository, its `config.local`; the last one wins.

    Args:
        folder: The folder `.dvc` of a repository.

    Raises:
        PinError: A level cannot be read; the message names file and field.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sections: dict[str, Section] = {}
        for path, by_user in _levels(folder):
            for name, section in dict(_read_sections(path, by_user=by_user)).items():
                self._sections.setdefault(name, {}).update(section)

    def find_remote(self, name: str = "") -> Remote | None:
        """The remote of a name, else the default one; None where that is not on a Hub."""
        wanted = (name or self._text("core", "remote")).lower()
        section = self._remote_section(wanted)
        url, endpoint = section.get("url"), section.get("endpointurl")
        if url is None or not url.text().startswith(SCHEME):
            return None
        by_user = endpoint is not None and endpoint.by_user
        root = place_of(url.field, endpoint.text() if endpoint else "", by_user=by_user)
        is_plain = any(_is_on(section, option) for option in ("version_aware", "worktree"))
        return Remote(wanted, root, is_plain, section["publish"].text() if "publish" in section else "")

    def cache_folders(self) -> list[Path]:
        """The cache that DVC uses: the one that is named, else that of the repository."""
        named = self._sections.get("cache", {}).get("dir")
        if named is None:
            return [self.folder / "cache"]
        folder = named.folder / Path(named.text()).expanduser()
        # Asking for a file of another machine would show it who the user is.
        return [] if not named.by_user and folder.as_posix().startswith("//") else [folder]

    def _text(self, section: str, option: str) -> str:
        setting = self._sections.get(section, {}).get(option)
        return setting.text() if setting else ""

    def _remote_section(self, name: str, behind: tuple[str, ...] = ()) -> Section:
        """The section of a remote; one whose url is `remote://NAME/PATH` adds to that of the other."""
        own = self._sections.get(f"remote {name}", {})
        url = own.get("url")
        if url is None or not url.text().startswith(OTHER_REMOTE):
            return own
        if name in behind:
            url.field.refuse("a remote that leads to an address")
        other, _, path = url.text().removeprefix(OTHER_REMOTE).partition("/")
        base = self._remote_section(other.lower(), (*behind, name))
        if "url" not in base:
            return {}
        joined = "/".join(part for part in (base["url"].text(), path.strip("/")) if part)
        return {**base, **own, "url": replace(url, field=replace(url.field, value=joined))}


def find_config(pin: Path) -> DvcConfig | None:
    """The configuration of the DVC repository that a pin lies in, if it lies in one."""
    for folder in pin.resolve().parents:
        if (folder / FOLDER).is_dir():
            return DvcConfig(folder / FOLDER)
    return None


def _levels(folder: Path) -> Iterator[tuple[Path, bool]]:
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or platformdirs.site_config_dir("dvc", "iterative")
    own = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or platformdirs.user_config_dir("dvc", "iterative")
    local = folder / "config.local"
    yield Path(system) / "config", True
    yield Path(own) / "config", True
    yield folder / "config", False
    yield local, local.is_file() and not came_along(local)


def _read_sections(path: Path, *, by_user: bool) -> Iterator[tuple[str, Section]]:
    if not path.is_file():
        return
    for title, section in _read_config(path).fields():
        if section.is_table():
            named = NAMED_REMOTE.fullmatch(title.lower())
            name = f"remote {named[1]}" if named else title.lower()
            yield name, {key.lower(): Setting(field, path.parent, by_user) for key, field in section.fields()}


def _read_config(path: Path) -> Field:
    origin = Text("the DVC config", str(path), REMEDY, PinError)
    lines = decode_text(read_bytes(path, origin), origin).splitlines()
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            origin.refuse(f"line {number} has {len(line):,} characters", f"at most {LONGEST_LINE:,}")
    try:
        sections = ConfigObj(lines, interpolation=False, raise_errors=True).dict()
    except ConfigObjError as error:
        origin.refuse(" ".join(str(error).split())[:200], "sections of names and values", error)
    return bounded_field(sections, origin)


def _is_on(section: Section, option: str) -> bool:
    return option in section and section[option].text().lower() == "true"
