"""The ``dvc push`` that is running: of which repository, and which Hub remotes it writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Push:
    """A ``dvc push`` that is running, or another command that writes to the same remotes."""

    repo: Any
    remote: str | None
    is_whole: bool = True  # whether all outputs go, not some targets alone

    @property
    def default_remote(self) -> str | None:
        """Where outputs go that name no remote of their own."""
        return self.remote or self.repo.config["core"].get("remote")

    def remotes(self) -> dict[str, Any]:
        """The Hub remotes that this push writes to, by name."""
        names = {self.default_remote} | {out.remote for out in self.repo.index.outs}
        on_hub = {name for name in names if name and _url(self.repo.config, name).startswith("hf://")}
        return {name: self.repo.cloud.get_remote(name) for name in sorted(on_hub)}

    def writes_to(self, out: Any) -> bool:
        """Whether an output goes to a Hub remote."""
        name: str | None = out.remote or self.default_remote
        return name is not None and _url(self.repo.config, name).startswith("hf://")


_running: list[Push] = []


@contextmanager
def during(repo: Any, remote: str | None, *, is_whole: bool) -> Iterator[None]:
    """While a push runs, know of which repository and to which remote it is."""
    _running.append(Push(repo, remote, is_whole))
    try:
        _make_missing(_running[-1])
        yield
    finally:
        _running.pop()


def running() -> Push | None:
    """The push that is running, if one is."""
    return _running[-1] if _running else None


def _url(config: Any, name: str) -> str:
    section = config["remote"].get(name.lower(), {})
    url = str(section.get("url", ""))
    if url.startswith("remote://"):
        return _url(config, url.removeprefix("remote://").partition("/")[0])
    return url


def _make_missing(push: Push) -> None:
    """Make the repositories and buckets of remotes that say ``create``."""
    for remote in push.remotes().values():
        client = remote.fs.open_repository(remote.path).client
        if client.create and not client.exists():
            client.make()
