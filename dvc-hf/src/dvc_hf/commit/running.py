"""The ``dvc push`` that is running: of which repository, and which Hub remotes it writes to."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dvc_hf.hub.names import PROTOCOL


@dataclass(frozen=True)
class Targets:
    """What a push names, and how DVC finds it (`with_deps`, `recursive`)."""

    names: Any
    how: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Push:
    """A ``dvc push`` that is running, or another command that writes to the same remotes."""

    repo: Any
    remote: str | None
    targets: Targets | None = None  # what goes, where not all does

    @property
    def is_whole(self) -> bool:
        """Whether all outputs go, not some targets alone."""
        return self.targets is None

    @property
    def default_remote(self) -> str | None:
        """Where outputs go that name no remote of their own."""
        return self.remote or self.repo.config["core"].get("remote")

    def remotes(self) -> dict[str, Any]:
        """The Hub remotes that this push writes to, by name."""
        default = self.default_remote
        names = {out.remote or default for out in self._outs()} | ({default} if self.is_whole else set())
        on_hub = {name for name in names if name and url_of(self.repo.config, name).startswith(PROTOCOL)}
        return {name: self.repo.cloud.get_remote(name) for name in sorted(on_hub)}

    def _outs(self) -> Any:
        """The outputs that go; all of them where DVC is about to say what is wrong with a target."""
        if self.targets is None:
            return self.repo.index.outs
        from dvc.exceptions import DvcException

        try:
            return self.repo.index.targets_view(self.targets.names, **self.targets.how).outs
        except DvcException:
            return self.repo.index.outs

    def names_of(self, md5s: Iterable[str]) -> dict[str, str]:
        """The names that objects have in the workspace, by their md5."""
        wanted, names = set(md5s), {}
        for out in self.repo.index.outs:
            info = out.hash_info
            if info and info.value in wanted:
                names[info.value] = str(out)
            tree = out.get_obj() if info and info.isdir else None
            for key, _, inner in tree or ():
                if inner.value in wanted:
                    names[inner.value] = "/".join((str(out), *key))
        return names

    def writes_to(self, out: Any) -> bool:
        """Whether an output goes to a Hub remote."""
        name: str | None = out.remote or self.default_remote
        return name is not None and url_of(self.repo.config, name).startswith(PROTOCOL)


_running: list[Push] = []


@contextmanager
def while_pushing(repo: Any, remote: str | None, targets: Targets | None = None) -> Iterator[None]:
    """While a push runs, know of which repository and to which remote it is."""
    _running.append(Push(repo, remote, targets))
    try:
        _make_missing(_running[-1])
        yield
    finally:
        _running.pop()


def running_push() -> Push | None:
    """The push that is running, if one is."""
    return _running[-1] if _running else None


def url_of(config: Any, name: str) -> str:
    """The url of a remote; one that is built on another (`remote://`) has the other's."""
    seen = set()
    while name.lower() not in seen:
        seen.add(name.lower())
        url = str(config["remote"].get(name.lower(), {}).get("url", ""))
        if not url.startswith("remote://"):
            return url
        name = url.removeprefix("remote://").partition("/")[0]
    return ""  # they are built on one another: DVC says so when it opens one


def _make_missing(push: Push) -> None:
    """Make the repositories and buckets of remotes that say ``create``."""
    for remote in push.remotes().values():
        client = remote.fs.open_repository(remote.path).client
        if client.create and not client.exists():
            client.make()
