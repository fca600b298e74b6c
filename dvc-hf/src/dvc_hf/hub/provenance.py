"""Who said a value of a remote: the user on this machine, or files that came with somebody's repository.

DVC merges its levels of config into one. A token must not go where a cloned `.dvc/config` points it, so the
two options that matter carry their level from the moment they are read; what has none is the repository's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKED = ("endpointurl", "token")
OUTSIDE_GIT = ("system", "global", "local")

typed_endpoints: set[str] = set()
"""Endpoints that the user typed in the command line of this process."""


@dataclass(frozen=True)
class Source:
    """A level of DVC's config, and its file."""

    level: str
    path: str = ""

    @property
    def is_users(self) -> bool:
        """Whether it is outside of git: a `config.local` that came with a clone is not."""
        return self.level in OUTSIDE_GIT and not (self.level == "local" and is_tracked(Path(self.path)))


class Said(str):
    """A value that knows where it was read."""

    __slots__ = ("source",)
    source: Source

    def __new__(cls, text: str, source: Source) -> "Said":
        """Make one."""
        said = super().__new__(cls, text)
        said.source = source
        return said

    def __getnewargs__(self) -> tuple[str, Source]:  # type: ignore[override]
        return str(self), self.source


def is_users(value: str | None) -> bool:
    """Whether the user said it, outside of git."""
    return isinstance(value, Said) and value.source.is_users


def are_of_one_source(value: str | None, other: str | None) -> bool:
    """Whether one file or one call said both."""
    return isinstance(value, Said) and isinstance(other, Said) and value.source == other.source


def mark_source(section: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """A remote's section whose endpoint and token know where they were read."""
    said = {
        key: Said(value, source) for key, value in section.items() if key in MARKED and type(value) is str
    }
    return {**section, **said}


def unmark_source(section: Mapping[str, Any]) -> dict[str, Any]:
    """The same section as DVC read it, for remotes that are not on the Hub."""
    return {key: str(value) if isinstance(value, Said) else value for key, value in section.items()}


def is_tracked(path: Path) -> bool:
    """Whether git tracks a file, or the file that it is a link to."""
    return any(_is_in_index(place) for place in {path.absolute(), path.resolve()})


def _is_in_index(path: Path) -> bool:
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        repo = Repo.discover(str(path.parent))
        name = path.relative_to(Path(repo.path).absolute()).as_posix().casefold()
        return any(known.decode(errors="replace").casefold() == name for known in repo.open_index())
    except NotGitRepository:
        return False
    except Exception:  # noqa: BLE001 - what cannot be looked up is not shown to be the user's
        return True
