"""Commits held back: what is staged meanwhile goes together when the outermost hold ends."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dvc_hf.commit.batch import Batch
from dvc_hf.hub.errors import raise_first

_ANY_OBJECT = re.compile(r"(^|/)[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?$")  # of older layouts of DVC's cache too


class Transaction:
    """While it is held, nothing is committed; what was staged goes together when it is let go."""

    def __init__(self) -> None:
        self.depth = 0
        self.objects_only = False
        self.batches: list[Batch] = []
        self.absent: set[str] = set()  # what should be on a remote, is not, and is in no cache to be sent

    @contextmanager
    def held(self, *, objects_only: bool = False) -> Iterator[None]:
        """Hold commits back; an error drops what was staged since the outermost hold.

        Args:
            objects_only: refuse to delete what is no object of DVC's, as ``gc`` of the legacy cache would:
                it takes every file of a two-letter folder for one.
        """
        if self.depth == 0:
            for batch in self.batches:
                batch.latest = None
        self.depth += 1
        self.objects_only |= objects_only
        try:
            yield
            if self.depth == 1:
                raise_first(self.commit())
        finally:
            self.depth -= 1
            if self.depth == 0:
                self.objects_only = False
                self.absent.clear()
                for batch in self.batches:
                    batch.discard()

    def deletable(self, path: str) -> bool:
        """Whether a path may be deleted now."""
        return not self.objects_only or _ANY_OBJECT.search(path) is not None

    def drop(self, is_unwanted: Callable[[str], Any]) -> None:
        """Take staged files back."""
        for batch in self.batches:
            for path in filter(is_unwanted, list(batch.added)):
                del batch.added[path]

    def forget_commits(self) -> None:
        """Forget what earlier pushes of this process wrote: a push vouches for what it writes itself."""
        for batch in self.batches:
            batch.commits.clear()

    def commit(self) -> dict[str, Exception]:
        """Commit every batch now; what failed is in the answer, not raised."""
        failed: dict[str, Exception] = {}
        for batch in self.batches:
            if batch:
                failed.update(batch.commit())
        return failed


transaction = Transaction()
