"""All that one Hub knows: a folder, opened by one server at a time."""

import secrets
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from minihub.accounts import Accounts, Viewer
from minihub.files.buckets import Buckets
from minihub.files.contents import Contents
from minihub.files.lfs import LfsObjects
from minihub.git.repos import Repos
from minihub.limits import Limits
from minihub.manners import Manners
from minihub.storage.blobs import Blobs
from minihub.storage.database import Database
from minihub.xet.cas import Cas, Reader


class State:
    """The folder of a Hub, open.

    Args:
        folder: where everything is kept; made when it is not there.
        exclusive: hold the folder's lock, as a server or a cleaner must; a command that adds rows need not.
    """

    def __init__(self, folder: Path, *, exclusive: bool = True) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "lock", thread_local=False) if exclusive else None
        if self._lock is not None:
            self._take(self._lock)
        self.drafts = folder / "drafts"
        self.database = Database(folder / "hub.db")
        self.accounts = Accounts(self.database)
        self.repos = Repos(self.database, folder / "repos")
        self.blobs = Blobs(folder / "blobs", self.drafts)
        self.cas = Cas(self.database, folder / "xorbs")
        self.buckets = Buckets(self.database, self.cas)
        self.contents = Contents(self.blobs, self.cas)
        self.lfs = LfsObjects(self.database)
        self.limits = Limits()
        self.manners = Manners()
        self.key = self._secret("signing key")
        if exclusive:
            self._sweep()

    def close(self) -> None:
        """Close the files and let others open the folder."""
        self.database.close()
        if self._lock is not None:
            self._lock.release()

    def reader(self, viewer: Viewer) -> Reader:
        """What a viewer may read of the Xet store; each repository is looked up once."""

        @cache
        def may_read(key: int) -> bool:
            return self.repos.opens(self.repos.at(key), viewer)

        return Reader(viewer.sender, may_read)

    def _take(self, lock: FileLock) -> None:
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            message = f"The Hub in {self.folder} is in use by another process. Stop it, or choose another."
            raise RuntimeError(message) from error

    def _secret(self, name: str) -> bytes:
        self.database.write(
            "INSERT OR IGNORE INTO secrets (name, value) VALUES (?, ?)", name, secrets.token_bytes(32)
        )
        row = self.database.row("SELECT value FROM secrets WHERE name = ?", name)
        assert row is not None  # noqa: S101 - the line above put it there
        return bytes(row["value"])

    def _sweep(self) -> None:
        """Remove drafts and git's lock files that a killed server left behind."""
        for path in self.drafts.glob("*"):
            path.unlink()
        for pattern in ("*/*.lock", "*/refs/**/*.lock"):  # no reference may be called so
            for path in list(self.repos.folder.glob(pattern)):
                path.unlink()
