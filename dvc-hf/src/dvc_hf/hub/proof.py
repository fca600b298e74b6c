"""Compares a file with all that is said of it, while it arrives."""

from collections.abc import Sequence

from dvc_hf.hub.changes import Entry
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.promises import Digest, Promise


class Proof:
    """What has arrived of a file so far, and what it must be in the end.

    Attributes:
        count: bytes that have arrived.
    """

    def __init__(self, entry: Entry, promise: Promise | None, etag: Digest | None) -> None:
        """Await a file.

        Args:
            entry: its size and etag, as the Hub says.
            promise: what its name says to DVC.
            etag: the Hub's digest, none where it can be had of the whole file alone.
        """
        self.entry = entry
        self.promise = promise
        self.count = 0
        self._etag = etag
        self._promised = promise.digester() if promise else None

    @property
    def covers_content(self) -> bool:
        """Whether a digest is among what is compared."""
        return bool(self._digests)

    @property
    def _digests(self) -> Sequence[Digest]:
        return [digest for digest in (self._etag, self._promised) if digest is not None]

    def take(self, data: bytes) -> None:
        """Take what has arrived.

        Raises:
            RejectedError: there is more than was announced.
        """
        self.count += len(data)
        if self.count > self.entry.size:
            raise RejectedError(damaged_file(self.entry.path, f"{self.entry.size} bytes", "more"))
        for digest in self._digests:
            digest.update(data)

    def conclude(self) -> None:
        """Compare what has arrived.

        Raises:
            RejectedError: size or a digest differ.
        """
        entry = self.entry
        if self.count != entry.size:
            raise RejectedError(damaged_file(entry.path, f"{entry.size} bytes", f"{self.count}"))
        if self._etag is not None and (got := self._etag.hexdigest()) != entry.etag:
            kind = "sha256" if entry.is_large else "git sha1"
            raise RejectedError(damaged_file(entry.path, f"{kind} {entry.etag}", got))
        self._keep_promise()

    def _keep_promise(self) -> None:
        if self.promise is None or self._promised is None:
            return
        if (got := self._promised.hexdigest()) != self.promise.digest:
            raise RejectedError(broken_promise(self.entry.path, str(self.promise), got))


def damaged_file(path: str, expected: str, got: str) -> str:
    """The message for a file that is not what the Hub says of it."""
    return (
        f"'{path}' arrived damaged: expected {expected}, got {got}. "
        "Nothing of it was kept; pull again, and if it stays so, compare with the repository's page."
    )


def broken_promise(path: str, expected: str, got: str) -> str:
    """The message for an object that is not what its own name says."""
    return (
        f"'{path}' is not the object that was asked for: expected {expected}, got {got}. Nothing of it was "
        "kept. Somebody changed it on the Hub: delete it there, then push again from a clone that has it."
    )
