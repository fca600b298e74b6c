"""The Xet store: xorbs as clients sent them, and which of their chunks make up which file."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection, Row
from typing import BinaryIO

from minihub.errors import BadRequestError, EntryNotFoundError
from minihub.storage.database import Database
from minihub.storage.durable import place_file
from minihub.xet import hashes
from minihub.xet.shards import FileInfo, Term
from minihub.xet.xorbs import Chunk, read_chunk, read_chunks

SCHEMA = """
CREATE TABLE IF NOT EXISTS xorbs (hash BLOB PRIMARY KEY, size INTEGER NOT NULL, chunks BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS xet_files (
    hash BLOB PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, terms BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS xet_files_sha256 ON xet_files (sha256);
CREATE TABLE IF NOT EXISTS xet_file_xorbs (
    file BLOB NOT NULL REFERENCES xet_files(hash) ON DELETE CASCADE,
    xorb BLOB NOT NULL REFERENCES xorbs(hash), PRIMARY KEY (file, xorb)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS xet_file_xorbs_xorb ON xet_file_xorbs (xorb);
CREATE TABLE IF NOT EXISTS shared_chunks (
    chunk BLOB NOT NULL, xorb BLOB NOT NULL REFERENCES xorbs(hash) ON DELETE CASCADE,
    PRIMARY KEY (chunk, xorb)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS repo_xorbs (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    xorb BLOB NOT NULL REFERENCES xorbs(hash) ON DELETE CASCADE, PRIMARY KEY (repo, xorb)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS user_xorbs (
    user TEXT NOT NULL, xorb BLOB NOT NULL REFERENCES xorbs(hash) ON DELETE CASCADE,
    PRIMARY KEY (user, xorb)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS repo_xorbs_xorb ON repo_xorbs (xorb);
CREATE TABLE IF NOT EXISTS repo_xet_files (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    file BLOB NOT NULL REFERENCES xet_files(hash) ON DELETE CASCADE, PRIMARY KEY (repo, file)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS repo_xet_files_file ON repo_xet_files (file);
"""

PIECE_SIZE = 1 << 20  # bytes that a reader gets at once

_CHUNK = struct.Struct("<III32s")
_TERM = struct.Struct("<32sIII")


@dataclass(frozen=True)
class Reader:
    """Who asks the store: whose uploads are theirs, and whether they may read the repository of a key."""

    sender: str
    may_read: Callable[[int], bool]


@dataclass(frozen=True)
class Xorb:
    """A xorb that is here."""

    hash: bytes
    chunks: list[Chunk]


class Cas:
    """The xorbs and files of one Hub. A repository sees the xorbs that it or another readable one holds."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._db = database
        self._db.script(SCHEMA)
        self.folder = folder

    def path(self, xorb: bytes) -> Path:
        """Where a xorb is, or would be."""
        name = hashes.to_hex(xorb)
        return self.folder / name[:2] / name

    # ---- xorbs

    def add_xorb(self, repo: int, senders: set[str], xorb: bytes, draft: Path) -> bool:
        """Check an uploaded xorb and keep it; whether it is new."""
        with draft.open("rb") as file:
            chunks = read_chunks(file)
        found = hashes.xorb_hash([(chunk.hash, chunk.size) for chunk in chunks])
        if found != xorb:
            message = (
                f"The xorb was refused: expected the hash {hashes.to_hex(xorb)}, "
                f"its chunks give {hashes.to_hex(found)}. Send it again."
            )
            raise BadRequestError(message)
        is_new = self._db.row("SELECT 1 FROM xorbs WHERE hash = ?", xorb) is None
        if is_new:
            place_file(draft, self.path(xorb))
        with self._db.transaction() as connection:
            self._insert_xorb(connection, xorb, chunks)
            connection.execute("INSERT OR IGNORE INTO repo_xorbs VALUES (?, ?)", (repo, xorb))
            sent = [(sender, xorb) for sender in senders]
            connection.executemany("INSERT OR IGNORE INTO user_xorbs VALUES (?, ?)", sent)
        return is_new

    def _insert_xorb(self, connection: Connection, xorb: bytes, chunks: list[Chunk]) -> None:
        packed = b"".join(_CHUNK.pack(c.offset, c.end, c.size, c.hash) for c in chunks)
        connection.execute("INSERT OR IGNORE INTO xorbs VALUES (?, ?, ?)", (xorb, chunks[-1].end, packed))
        shared = [(chunk.hash, xorb) for chunk in chunks if hashes.is_shared(chunk.hash)]
        connection.executemany("INSERT OR IGNORE INTO shared_chunks VALUES (?, ?)", shared)

    def xorb(self, xorb: bytes) -> Xorb:
        """A xorb and its chunks."""
        row = self._db.row("SELECT chunks FROM xorbs WHERE hash = ?", xorb)
        if row is None:
            message = f"The xorb {hashes.to_hex(xorb)} is not on this Hub. Upload it first."
            raise BadRequestError(message)
        return Xorb(xorb, [Chunk(*fields) for fields in _CHUNK.iter_unpack(row["chunks"])])

    def xorbs(self) -> Iterator[bytes]:
        """The hash of every xorb."""
        for row in self._db.rows("SELECT hash FROM xorbs ORDER BY hash"):
            yield row["hash"]

    def unknown_files(self) -> Iterator[Path]:
        """Files of xorbs that the index never learnt of, as when the disk was full."""
        known = {self.path(xorb) for xorb in self.xorbs()}
        yield from (path for path in self.folder.glob("??/*") if path not in known)

    def unused_xorbs(self, used_oids: set[str]) -> list[bytes]:
        """Xorbs that are in no file of any repository or bucket; files of none are forgotten first."""
        for row in self._db.rows(
            "SELECT hash, sha256 FROM xet_files WHERE hash NOT IN (SELECT file FROM repo_xet_files)"
        ):
            if row["sha256"] not in used_oids:
                self._db.write("DELETE FROM xet_files WHERE hash = ?", row["hash"])
        rows = self._db.rows("SELECT hash FROM xorbs WHERE hash NOT IN (SELECT xorb FROM xet_file_xorbs)")
        return [row["hash"] for row in rows]

    def forget_xorb(self, xorb: bytes) -> None:
        """Remove a xorb from the index; its file goes next."""
        self._db.write("DELETE FROM xorbs WHERE hash = ?", xorb)

    def may_use(self, xorb: bytes, reader: Reader) -> bool:
        """Whether who asks sent the xorb themselves once, or may read a repository that holds it."""
        if self._db.row("SELECT 1 FROM user_xorbs WHERE user = ? AND xorb = ?", reader.sender, xorb):
            return True
        rows = self._db.rows("SELECT repo FROM repo_xorbs WHERE xorb = ?", xorb)
        return any(reader.may_read(row["repo"]) for row in rows)

    # ---- files

    def check_file(self, info: FileInfo, reader: Reader) -> bytes:
        """Check what a file is said to be made of; gives the hash of its first chunk, empty for none."""
        xorbs = {}
        for hash_ in dict.fromkeys(term.xorb for term in info.terms):
            if not self.may_use(hash_, reader):
                message = f"The xorb {hashes.to_hex(hash_)} is not on this Hub. Upload it first."
                raise BadRequestError(message)
            xorbs[hash_] = self.xorb(hash_)
        self._check(info, xorbs)
        known = self._db.row("SELECT sha256 FROM xet_files WHERE hash = ?", info.hash)
        if info.sha256 and (known is None or known["sha256"] != info.sha256):
            self._check_sha256(info, xorbs)
        first = info.terms[0] if info.terms else None
        return xorbs[first.xorb].chunks[first.start].hash if first else b""

    def _check(self, info: FileInfo, xorbs: dict[bytes, Xorb]) -> None:
        leaves: list[hashes.Leaf] = []
        for term in info.terms:
            chunks = xorbs[term.xorb].chunks[term.start : term.end]
            if len(chunks) != term.end - term.start or sum(chunk.size for chunk in chunks) != term.size:
                message = f"A term of the file {hashes.to_hex(info.hash)} does not fit its xorb."
                raise BadRequestError(message)
            leaves.extend((chunk.hash, chunk.size) for chunk in chunks)
        found = hashes.file_hash(leaves)
        if found != info.hash:
            message = (
                f"The file was refused: expected the hash {hashes.to_hex(info.hash)}, "
                f"its chunks give {hashes.to_hex(found)}."
            )
            raise BadRequestError(message)

    def _check_sha256(self, info: FileInfo, xorbs: dict[bytes, Xorb]) -> None:
        digest = hashlib.sha256()
        for piece in self._pieces(info.terms, xorbs, 0, info.size):
            digest.update(piece)
        if digest.hexdigest() != info.sha256:
            message = f"The file was refused: expected the sha256 {info.sha256}, got {digest.hexdigest()}."
            raise BadRequestError(message)

    def keep_file(self, repo: int, info: FileInfo, first_chunk: bytes) -> None:
        """Let a repository hold a file that was checked."""
        with self._db.transaction() as connection:
            self._insert_file(connection, repo, info)
            if first_chunk:  # clients ask for the first chunk of a file, whatever its hash
                pair = first_chunk, info.terms[0].xorb
                connection.execute("INSERT OR IGNORE INTO shared_chunks VALUES (?, ?)", pair)

    def _insert_file(self, connection: Connection, repo: int, info: FileInfo) -> None:
        terms = b"".join(_TERM.pack(term.xorb, term.start, term.end, term.size) for term in info.terms)
        connection.execute(
            "INSERT INTO xet_files VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET"
            " sha256 = CASE WHEN excluded.sha256 = '' THEN sha256 ELSE excluded.sha256 END",
            (info.hash, info.sha256, info.size, terms),
        )
        for table, key in (("xet_file_xorbs", info.hash), ("repo_xorbs", repo)):
            pairs = [(key, xorb) for xorb in dict.fromkeys(term.xorb for term in info.terms)]
            connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", pairs)  # noqa: S608
        connection.execute("INSERT OR IGNORE INTO repo_xet_files VALUES (?, ?)", (repo, info.hash))

    def file(self, hash_: bytes) -> FileInfo | None:
        """A file by its Xet hash."""
        return _file(self._db.row("SELECT * FROM xet_files WHERE hash = ?", hash_))

    def file_of(self, sha256: str) -> FileInfo | None:
        """A file by the sha256 of its content."""
        return _file(self._db.row("SELECT * FROM xet_files WHERE sha256 = ?", sha256)) if sha256 else None

    def may_read(self, hash_: bytes, reader: Reader) -> bool:
        """Whether a repository that holds the file is readable for who asks."""
        rows = self._db.rows("SELECT repo FROM repo_xet_files WHERE file = ?", hash_)
        return any(reader.may_read(row["repo"]) for row in rows)

    def holds(self, repo: int, hash_: bytes) -> bool:
        """Whether the file was uploaded to this repository, or copied there."""
        row = self._db.row("SELECT 1 FROM repo_xet_files WHERE repo = ? AND file = ?", repo, hash_)
        return row is not None

    def share(self, repo: int, hash_: bytes) -> None:
        """Let a repository hold a file that another one holds."""
        with self._db.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO repo_xet_files VALUES (?, ?)", (repo, hash_))
            connection.execute(
                "INSERT OR IGNORE INTO repo_xorbs SELECT ?, xorb FROM xet_file_xorbs WHERE file = ?",
                (repo, hash_),
            )

    # ---- reading

    def pieces(self, info: FileInfo, start: int, end: int) -> Iterator[bytes]:
        """The bytes `start` to `end` of a file, some at a time."""
        yield from self._pieces(info.terms, {}, start, end)

    def _pieces(self, terms: list[Term], xorbs: dict[bytes, Xorb], start: int, end: int) -> Iterator[bytes]:
        waiting, size, at = [], 0, 0
        for term in terms:
            if at < end and at + term.size > start:
                xorb = xorbs.get(term.xorb) or self.xorb(term.xorb)
                for content in self._chunks(xorb, term, max(start - at, 0), min(end - at, term.size)):
                    waiting.append(content)
                    size += len(content)
                    if size >= PIECE_SIZE:
                        yield b"".join(waiting)
                        waiting, size = [], 0
            at += term.size
        if waiting:
            yield b"".join(waiting)

    def _chunks(self, xorb: Xorb, term: Term, start: int, end: int) -> Iterator[bytes]:
        """The bytes `start` to `end` of a term, a chunk at a time."""
        at = 0
        with self._open(xorb.hash) as file:
            for chunk in xorb.chunks[term.start : term.end]:
                if at < end and at + chunk.size > start:
                    yield read_chunk(file, chunk)[max(start - at, 0) : end - at]
                at += chunk.size

    def _open(self, xorb: bytes) -> BinaryIO:
        try:
            return self.path(xorb).open("rb")
        except FileNotFoundError as error:
            message = f"The xorb {hashes.to_hex(xorb)} is lost. Run `minihub fsck`; upload the file again."
            raise EntryNotFoundError(message) from error

    # ---- what clients need not send again

    def known_chunks(self, chunk: bytes, reader: Reader) -> dict[bytes, list[Chunk]]:
        """The chunks of every xorb of every file that holds this chunk, as far as who asks may know."""
        xorbs = {
            row["xorb"] for row in self._db.rows("SELECT xorb FROM shared_chunks WHERE chunk = ?", chunk)
        }
        for xorb in list(xorbs):
            rows = self._db.rows(
                "SELECT DISTINCT b.xorb FROM xet_file_xorbs a JOIN xet_file_xorbs b ON a.file = b.file"
                " WHERE a.xorb = ? LIMIT 256",
                xorb,
            )
            xorbs |= {row["xorb"] for row in rows}
        return {xorb: self.xorb(xorb).chunks for xorb in sorted(xorbs) if self.may_use(xorb, reader)}


def _file(row: Row | None) -> FileInfo | None:
    if row is None:
        return None
    terms = [Term(*fields) for fields in _TERM.iter_unpack(row["terms"])]
    return FileInfo(row["hash"], terms, row["sha256"])
