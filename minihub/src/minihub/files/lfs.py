"""Which repository holds which large files, and the signed addresses to send them to."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from minihub.clock import now
from minihub.errors import ForbiddenError
from minihub.git.repos import Repo
from minihub.storage.database import Database

SIGNATURE_LIFE_S = 3600


@dataclass(frozen=True)
class LfsObject:
    """A large file that a repository holds."""

    oid: str
    size: int
    pushed_at: str


class LfsObjects:
    """The large files of the repositories: a repository sees only what was pushed to it."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def size(self, repo: Repo, oid: str) -> int | None:
        """The size of a large file that the repository holds, or None."""
        row = self._db.row("SELECT size FROM lfs_objects WHERE repo = ? AND oid = ?", repo.key, oid)
        return None if row is None else int(row["size"])

    def add(self, repo: Repo, oid: str, size: int) -> None:
        """Remember that the repository holds a large file, whose content is in the blobs."""
        self._db.write(
            "INSERT OR IGNORE INTO lfs_objects (repo, oid, size, pushed_at) VALUES (?, ?, ?, ?)",
            *(repo.key, oid, size, now()),
        )

    def remove(self, repo: Repo, oids: set[str]) -> None:
        """Forget that the repository holds some large files, all at once."""
        with self._db.transaction() as connection:
            rows = [(repo.key, oid) for oid in oids]
            connection.executemany("DELETE FROM lfs_objects WHERE repo = ? AND oid = ?", rows)

    def all(self, repo: Repo) -> list[LfsObject]:
        """Every large file of the repository, the latest first."""
        rows = self._db.rows(
            "SELECT * FROM lfs_objects WHERE repo = ? ORDER BY pushed_at DESC, oid", repo.key
        )
        return [LfsObject(row["oid"], row["size"], row["pushed_at"]) for row in rows]

    def used_oids(self) -> set[str]:
        """Every large file that a repository holds."""
        return {row["oid"] for row in self._db.rows("SELECT DISTINCT oid FROM lfs_objects")}

    def used_storage(self, repo: Repo) -> int:
        """Bytes of all large files of the repository."""
        row = self._db.row("SELECT coalesce(sum(size), 0) AS used FROM lfs_objects WHERE repo = ?", repo.key)
        return int(row["used"]) if row else 0


def signed_query(key: bytes, *facts: str, expires_at: int | None = None) -> str:
    """A query that lets its bearer do one thing for a while: clients send no token to these addresses."""
    expires_at = int(time.time()) + SIGNATURE_LIFE_S if expires_at is None else expires_at
    return urlencode({"expires": expires_at, "signature": _signature(key, facts, expires_at)})


def check_signature(key: bytes, *facts: str, query: dict[str, str]) -> None:
    """Refuse a query that was not signed for these facts, or too long ago."""
    expires_at = query.get("expires", "")
    known = expires_at.isdecimal() and len(expires_at) < 16
    expected = _signature(key, facts, int(expires_at)) if known else ""
    if not known or not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
        message = "This address was not signed by this Hub. Ask for a new one."
        raise ForbiddenError(message)
    if int(expires_at) < time.time():
        message = "This address is no longer valid. Ask for a new one."
        raise ForbiddenError(message)


def _signature(key: bytes, facts: tuple[str, ...], expires_at: int) -> str:
    return hmac.new(key, "\n".join([*facts, str(expires_at)]).encode(), hashlib.sha256).hexdigest()
