"""Buckets: files by path without history; the bytes of each are in the Xet store."""

from collections.abc import Iterator
from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Any

from minihub.clock import now, stamp
from minihub.errors import UnprocessableError
from minihub.git.repos import Repo
from minihub.names import repo_path
from minihub.storage.database import Database
from minihub.xet.cas import Cas
from minihub.xet.hashes import from_hex, is_hash, to_hex

SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket_files (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE, path TEXT NOT NULL, hash BLOB NOT NULL,
    size INTEGER NOT NULL, mtime REAL, content_type TEXT, uploaded_at TEXT NOT NULL,
    PRIMARY KEY (repo, path)) WITHOUT ROWID;
"""

EMPTY = bytes(32)  # the Xet hash of no bytes
BATCH = 1000  # rows read at once


@dataclass(frozen=True)
class BucketFile:
    """A file of a bucket."""

    path: str
    hash: bytes
    size: int
    mtime: float | None  # milliseconds since 1970
    content_type: str | None
    uploaded_at: str

    def as_json(self) -> dict[str, Any]:
        """As clients read it."""
        facts = {
            "type": "file",
            "path": self.path,
            "size": self.size,
            "xetHash": to_hex(self.hash),
            "uploadedAt": self.uploaded_at,
        }
        if self.mtime is not None:
            facts["mtime"] = stamp(self.mtime / 1000)
        if self.content_type:
            facts["contentType"] = self.content_type
        return facts


class Buckets:
    """The files of all buckets."""

    def __init__(self, database: Database, cas: Cas) -> None:
        self._db = database
        self._db.script(SCHEMA)
        self._cas = cas

    def totals(self, bucket: Repo) -> tuple[int, int]:
        """How many files, and how many bytes."""
        sql = "SELECT count(*) AS files, coalesce(sum(size), 0) AS size FROM bucket_files WHERE repo = ?"
        row = self._db.rows(sql, bucket.key)[0]
        return row["files"], row["size"]

    def find(self, bucket: Repo, path: str) -> BucketFile | None:
        """The file at a path, or None."""
        sql = "SELECT * FROM bucket_files WHERE repo = ? AND path = ?"
        row = self._db.row(sql, bucket.key, path)
        return _file(row) if row else None

    def files(self, bucket: Repo, prefix: str, after: str = "") -> Iterator[BucketFile]:
        """Files whose path begins with `prefix`, by path, from the one after `after` on."""
        sql = "SELECT * FROM bucket_files WHERE repo = ? AND path > ? AND path >= ? ORDER BY path LIMIT ?"
        while rows := self._db.rows(sql, bucket.key, after, prefix, BATCH):
            for row in rows:
                if not row["path"].startswith(prefix):
                    return
                yield _file(row)
            after = rows[-1]["path"]

    def entries(self, bucket: Repo, prefix: str, after: str, *, recursive: bool) -> Iterator[dict[str, Any]]:
        """Files, and the folders that hold them when not recursive."""
        seen = after
        for file in self.files(bucket, prefix, after + "\U0010ffff" if after.endswith("/") else after):
            folder, slash, _ = file.path[len(prefix) :].lstrip("/").partition("/")
            if recursive or not slash:
                yield file.as_json()
                continue
            path = file.path[: file.path.index(folder + "/", len(prefix)) + len(folder)]
            if seen != path + "/":
                seen = path + "/"
                yield {"type": "directory", "path": path, "uploadedAt": file.uploaded_at}

    def apply(self, bucket: Repo, operations: list[dict[str, Any]]) -> list[dict[str, str]]:
        """Carry out operations, all that can be; returns those that failed, and why."""
        failed = []
        with self._db.transaction() as connection:
            for operation in operations:
                try:
                    self._apply(connection, bucket, operation)
                except UnprocessableError as error:
                    path = str(operation.get("path"))
                    failed.append({"path": path, "error": error.message, "type": str(operation.get("type"))})
        return failed

    def _apply(self, connection: Connection, bucket: Repo, operation: dict[str, Any]) -> None:
        path = repo_path(str(operation.get("path") or ""))
        if operation.get("type") == "deleteFile":
            connection.execute("DELETE FROM bucket_files WHERE repo = ? AND path = ?", (bucket.key, path))
            return
        hash_ = _hash(operation.get("xetHash"))
        size = self._size(bucket, hash_, is_new=operation.get("type") == "addFile")
        mtime = operation.get("mtime")
        connection.execute(
            "INSERT OR REPLACE INTO bucket_files VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(bucket.key, path, hash_, size),
                *(mtime if isinstance(mtime, int | float) and 0 <= mtime < 1e14 else None,),
                *(str(operation["contentType"])[:200] if operation.get("contentType") else None, now()),
            ),
        )

    def _size(self, bucket: Repo, hash_: bytes, *, is_new: bool) -> int:
        if hash_ == EMPTY and is_new:
            return 0
        info = self._cas.file(hash_)
        if info is None or not self._cas.holds(bucket.key, hash_):
            message = f"The file {to_hex(hash_)} is not in this bucket's store. Upload it first."
            raise UnprocessableError(message)
        return info.size


def _hash(text: object) -> bytes:
    if isinstance(text, str) and is_hash(text):
        return from_hex(text)
    message = f"{str(text)[:80]!r} is no Xet hash: expected 64 hexadecimal digits."
    raise UnprocessableError(message)


def _file(row: Row) -> BucketFile:
    names = ("path", "hash", "size", "mtime", "content_type", "uploaded_at")
    return BucketFile(*(row[name] for name in names))
