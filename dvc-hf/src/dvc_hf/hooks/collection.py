"""A ``dvc gc --cloud`` of a Hub remote: on what it reckoned with, or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dvc.exceptions import CollectCacheError

from dvc_hf.commit.running import Push
from dvc_hf.commit.transaction import transaction

Original = Callable[..., Any]


def gc(original: Original, repo: Any, *args: Any, **kwargs: Any) -> Any:
    """Run ``dvc gc``: one commit, of objects only, and only if nobody has committed since it began."""
    with transaction.held(objects_only=True):
        if not kwargs.get("cloud"):
            return original(repo, *args, **kwargs)
        with _reckoning(Push(repo, kwargs.get("remote"))):
            return original(repo, *args, **kwargs)


def used_folder(original: Original, out: Any, *args: Any, **kwargs: Any) -> Any:
    """The files that a folder uses; where its listing is nowhere, a gc cannot know them.

    A look at the remote then asks for the listing itself: DVC would leave the folder out, and so call it in
    sync.

    Raises:
        CollectCacheError: a gc of a Hub remote would take them for unused; ``--force`` does not change that.
    """
    tree = original(out, *args, **kwargs)
    if tree is None and any(push.writes_to(out) for push in _collecting):
        message = (
            f"cannot tell what '{out}' uses: its listing {out.hash_info.value} is neither in the cache "
            "nor on the remote, and a gc would delete the files that it names. Nothing was deleted. "
            "Push it from the clone that has it, or restore an older .dvc file, then run gc again."
        )
        raise CollectCacheError(message)
    if tree is None and any(push.writes_to(out) for push in _looking):
        return out.cache.get(out.hash_info.value)
    return tree


@contextmanager
def looking(repo: Any, remote: str | None) -> Iterator[None]:
    """While a remote is looked at, know it."""
    _looking.append(Push(repo, remote))
    try:
        yield
    finally:
        _looking.pop()


_collecting: list[Push] = []
_looking: list[Push] = []


@contextmanager
def _reckoning(push: Push) -> Iterator[None]:
    """While a gc runs, know its remotes, and the commit of each that it began with."""
    for remote in push.remotes().values():
        remote.fs.open_repository(remote.path).fix_parent()
    _collecting.append(push)
    try:
        yield
    finally:
        _collecting.pop()
