"""Who said a value of a remote: the user on this machine, or files that came with somebody's repository.

DVC merges its levels of config into one. A token must not go where a cloned `.dvc/config` points it, so the
two options that matter carry their level from the moment they are read; what has none is the repository's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc_hf import masks

Original = Callable[..., Any]
MARKED = ("endpointurl", "token")
OUTSIDE_GIT = ("system", "global", "local")
GIVEN_AS = ("fs_config", "remote_config")  # the command line's options for options of a remote

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


def marked(section: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """A remote's section whose endpoint and token know where they were read."""
    said = {
        key: Said(value, source) for key, value in section.items() if key in MARKED and type(value) is str
    }
    return {**section, **said}


def unmarked(section: Mapping[str, Any]) -> dict[str, Any]:
    """The same section as DVC read it, for remotes that are not on the Hub."""
    return {key: str(value) if isinstance(value, Said) else value for key, value in section.items()}


def load_one(original: Original, config: Any, level: str) -> Any:
    """Read one level of the config, and mark what it says."""
    loaded = original(config, level)
    source = Source(level, str(config.files.get(level, "")))
    remotes = loaded.get("remote", {})
    for name, section in remotes.items():
        if isinstance(section, dict):
            remotes[name] = marked(section, source)
    return loaded


def load(original: Original, config: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Load the config; an endpoint and a token that one call gives belong together."""
    given = kwargs.get("remote_config")
    if isinstance(given, dict):
        kwargs["remote_config"] = marked(given, Source("call"))
    return original(config, *args, **kwargs)


def parse_args(original: Original, *args: Any, **kwargs: Any) -> Any:
    """Read the command line; from then on its endpoints are the user's, and its tokens are masked."""
    parsed = original(*args, **kwargs)
    options = [given for name in GIVEN_AS if isinstance(given := getattr(parsed, name, None), dict)]
    typed_endpoints.update(given["endpointurl"] for given in options if given.get("endpointurl"))
    secrets = [str(given["token"]) for given in options if given.get("token")]
    for secret in (*secrets, *_saved_secret(parsed)):
        masks.remember(secret)
    shown = str(vars(parsed))  # as DVC logs it
    if masks.mask(shown) != shown:
        masks.install()
    return parsed


def _saved_secret(parsed: Any) -> list[str]:
    """The token that `dvc remote modify` or `dvc config` is to save."""
    name = getattr(parsed, "name", None)
    option = name[-1] if isinstance(name, tuple) else getattr(parsed, "option", None)
    value = getattr(parsed, "value", None)
    return [value] if option in ("token", "password") and isinstance(value, str) else []


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
