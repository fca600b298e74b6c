"""Which repositories there are, whose they are, and who may see them."""

import json
import shutil
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import IntegrityError, Row
from typing import Any

from minihub.accounts import Viewer
from minihub.clock import now
from minihub.errors import ConflictError, RepoNotFoundError
from minihub.git import history
from minihub.names import RepoName, new_name
from minihub.storage.database import Database
from minihub.storage.durable import sync_folder


@dataclass(frozen=True)
class Repo:
    """A repository: its row in the index and its git folder."""

    key: int
    name: RepoName
    folder: Path
    private: bool
    gated: str
    created_at: str
    updated_at: str
    lock: threading.RLock
    details: dict[str, Any] = field(default_factory=dict)


class Repos:
    """The repositories of one Hub."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._db = database
        self.folder = folder
        self._locks: defaultdict[int, threading.RLock] = defaultdict(threading.RLock)

    def create(self, name: RepoName, *, private: bool, author: history.Author, **details: Any) -> Repo:
        """Make a repository with its first commit."""
        new_name(name.name, f"A {name.type}")
        if self.find(name):
            raise _already_exists(name)
        folder = uuid.uuid4().hex
        try:
            if name.type != "bucket":
                history.create_repository(self.folder / folder, author, _first_files(name, details))
                sync_folder(self.folder)
            self._insert(name, folder, private, details)
        except BaseException as error:
            shutil.rmtree(self.folder / folder, ignore_errors=True)
            if isinstance(error, IntegrityError):
                raise _already_exists(name) from error
            raise
        return self.named(name)

    def find(self, name: RepoName) -> Repo | None:
        """The repository of this name now, or the one that had it before it was moved."""
        values = (name.type, name.namespace, name.name)
        row = self._db.row("SELECT * FROM repos WHERE type = ? AND namespace = ? AND name = ?", *values)
        row = row or self._db.row(
            "SELECT repos.* FROM repos JOIN renames ON renames.repo = repos.id"
            " WHERE renames.type = ? AND renames.namespace = ? AND renames.name = ?",
            *values,
        )
        return self._repo(row) if row else None

    def named(self, name: RepoName) -> Repo:
        """The repository of this name."""
        repo = self.find(name)
        if repo is None:
            raise not_found(name)
        return repo

    def at(self, key: int) -> Repo:
        """The repository of this key."""
        row = self._db.row("SELECT * FROM repos WHERE id = ?", key)
        if row is None:
            raise repo_gone()
        return self._repo(row)

    def is_gone(self, repo: Repo) -> bool:
        """Whether a repository was deleted since it was looked up."""
        return self._db.row("SELECT 1 FROM repos WHERE id = ?", repo.key) is None

    def delete(self, repo: Repo) -> None:
        """Remove a repository; what only it used is collected later."""
        with repo.lock:
            self._db.write("DELETE FROM repos WHERE id = ?", repo.key)
            shutil.rmtree(repo.folder, ignore_errors=True)

    def move(self, repo: Repo, to: RepoName) -> None:
        """Rename a repository; its old name keeps leading to it."""
        new_name(to.name, f"A {to.type}")
        old = repo.name
        try:
            with self._db.transaction() as connection:
                connection.execute(
                    "UPDATE repos SET namespace = ?, name = ?, updated_at = ? WHERE id = ?",
                    (to.namespace, to.name, now(), repo.key),
                )
                connection.execute(
                    "DELETE FROM renames WHERE type = ? AND namespace = ? AND name = ?",
                    (to.type, to.namespace, to.name),
                )
                connection.execute(
                    "INSERT OR REPLACE INTO renames (type, namespace, name, repo) VALUES (?, ?, ?, ?)",
                    (old.type, old.namespace, old.name, repo.key),
                )
        except IntegrityError as error:
            raise (repo_gone() if self.is_gone(repo) else _already_exists(to)) from error

    def update(self, repo: Repo, **columns: Any) -> None:
        """Change `private`, `gated` or `details`, all at once."""
        if columns:
            changes = ", ".join(f"{column} = ?" for column in columns)
            self._db.write(f"UPDATE repos SET {changes} WHERE id = ?", *columns.values(), repo.key)  # noqa: S608

    def remember(self, repo: Repo, key: str, value: Any) -> None:
        """Keep a fact about a repository; the caller holds its lock."""
        self.update(repo, details=json.dumps({**self.at(repo.key).details, key: value}))

    def shows(self, repo: Repo, viewer: Viewer) -> bool:
        """Whether a viewer may know of a repository."""
        return not repo.private or viewer.may_read(repo.name.namespace, repo.name.id)

    def opens(self, repo: Repo, viewer: Viewer) -> bool:
        """Whether a viewer may read the files of a repository."""
        namespace, repo_id = repo.name.namespace, repo.name.id
        if viewer.may_read(namespace, repo_id):
            return True
        granted = viewer.reaches(namespace, repo_id) and self.is_granted(repo, viewer.name)
        return not repo.private and (not repo.gated or granted)

    def is_granted(self, repo: Repo, user: str) -> bool:
        """Whether a user was given access to the files of a gated repository."""
        return self._db.row("SELECT 1 FROM grants WHERE repo = ? AND user = ?", repo.key, user) is not None

    def touch(self, repo: Repo) -> None:
        """Remember that the repository changed now."""
        self._db.write("UPDATE repos SET updated_at = ? WHERE id = ?", now(), repo.key)

    def all(self, repo_type: str = "", namespace: str = "", search: str = "") -> list[Repo]:
        """Repositories, the latest first, by type, owner and a part of the id."""
        rows = self._db.rows(
            "SELECT * FROM repos WHERE (? = '' OR type = ?) AND (? = '' OR namespace = ?)"
            " AND instr(lower(namespace || '/' || name), lower(?)) ORDER BY updated_at DESC, id DESC",
            *(repo_type, repo_type, namespace, namespace, search),
        )
        return [self._repo(row) for row in rows]

    def _insert(self, name: RepoName, folder: str, private: bool, details: dict[str, Any]) -> None:
        with self._db.transaction() as connection:
            connection.execute(
                "DELETE FROM renames WHERE type = ? AND namespace = ? AND name = ?",
                (name.type, name.namespace, name.name),
            )
            connection.execute(
                "INSERT INTO repos (type, namespace, name, folder, private, details, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (name.type, name.namespace, name.name, folder, private, json.dumps(details), now(), now()),
            )

    def _repo(self, row: Row) -> Repo:
        return Repo(
            key=row["id"],
            name=RepoName(row["type"], row["namespace"], row["name"]),
            folder=self.folder / row["folder"],
            private=bool(row["private"]),
            gated=row["gated"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            lock=self._locks[row["id"]],
            details=json.loads(row["details"]),
        )


def _first_files(name: RepoName, details: dict[str, Any]) -> dict[str, str]:
    """A space begins with a card that says what runs it."""
    if name.type != "space":
        return {}
    facts = {"title": name.name, "sdk": details.get("sdk", "static")}
    return {"README.md": "---\n" + "".join(f"{key}: {value}\n" for key, value in facts.items()) + "---\n"}


def not_found(name: RepoName) -> RepoNotFoundError:
    """The answer about a repository that is not there, or that the viewer may not know of."""
    message = f"There is no {name}, or it is private and this token does not open it. Check name and token."
    return RepoNotFoundError(message)


def repo_gone() -> RepoNotFoundError:
    """The answer about a repository that was there when the request began."""
    return RepoNotFoundError("The repository is gone: it was deleted meanwhile.")


def _already_exists(name: RepoName) -> ConflictError:
    return ConflictError(f"You already created this {name.type} repo: {name.id}")
