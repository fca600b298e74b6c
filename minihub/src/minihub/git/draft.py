"""A commit as clients send it: lines of operations in, a new head of the branch out."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pygit2

from minihub.errors import (
    BadRequestError,
    EntryNotFoundError,
    RevisionNotFoundError,
    TooLargeError,
    UnprocessableError,
)
from minihub.git import history
from minihub.git.pointers import Pointer, is_sha256
from minihub.git.trees import TreeEdit, entry_at
from minihub.jsontext import parse_json
from minihub.names import folder_path, repo_path

MAX_REGULAR_SIZE = 10 << 20  # bytes; larger files go through LFS
MAX_LINE_SIZE = MAX_REGULAR_SIZE * 4 // 3 + (64 << 10)  # bytes: base64, and what stands around it
MAX_COMMIT_SIZE = 512 << 20  # bytes of operations in one commit
MAX_OPERATIONS = 100_000
MAX_SUMMARY_LENGTH = 10_000  # characters

SizeOf = Callable[[str], int | None]  # sha256 -> size of a large file that the repository holds


@dataclass
class Draft:
    """The operations of one commit, read line by line; contents are in git before the branch moves."""

    git: pygit2.Repository
    size_of: SizeOf
    summary: str = ""
    description: str = ""
    parent: str | None = None
    card: str = ""
    steps: list[Callable[[TreeEdit, pygit2.Tree], None]] = field(default_factory=list)

    def read(self, line: bytes) -> None:
        """Take one line."""
        try:
            record = parse_json(line)
            key, value = record["key"], record["value"]
        except (ValueError, TypeError, KeyError) as error:
            message = "A line of the commit is not JSON with `key` and `value`."
            raise BadRequestError(message) from error
        reader = _READERS.get(key) if isinstance(key, str) else None
        if reader is None or not isinstance(value, dict):
            message = f"The commit has an operation {str(key)[:99]!r}: expected one of {', '.join(_READERS)}."
            raise BadRequestError(message)
        if len(self.steps) >= MAX_OPERATIONS:
            message = f"The commit has more than {MAX_OPERATIONS} operations. Split it."
            raise TooLargeError(message)
        reader(self, value)

    def read_header(self, value: dict[str, Any]) -> None:
        """The message, and the commit that the client saw."""
        self.summary = _text(value, "summary")[:MAX_SUMMARY_LENGTH]
        self.description = _text(value, "description")[:MAX_SUMMARY_LENGTH]
        self.parent = _text(value, "parentCommit") or None

    def read_file(self, value: dict[str, Any]) -> None:
        """A small file with its content."""
        path = repo_path(_text(value, "path"))
        try:
            text = _text(value, "content")
            content = base64.b64decode(text, validate=True) if _encoding(value) == "base64" else text.encode()
        except (binascii.Error, ValueError) as error:
            message = f"The content of {path!r} is not base64."
            raise BadRequestError(message) from error
        if len(content) > MAX_REGULAR_SIZE:
            message = f"{path!r} has {len(content)} bytes: above {MAX_REGULAR_SIZE} a file goes through LFS."
            raise TooLargeError(message)
        if path == "README.md":
            self.card = content.decode(errors="replace")
        blob = self.git.create_blob(content)
        self.steps.append(lambda edit, _tree: edit.put(path, blob))

    def read_lfs_file(self, value: dict[str, Any]) -> None:
        """A large file whose content is here already; without a size it is a copy of another path."""
        path, oid, said = repo_path(_text(value, "path")), value.get("oid"), value.get("size")
        size = self.size_of(oid) if isinstance(oid, str) and is_sha256(oid) else None
        if size is None:
            message = (
                f"{path!r} points to the large file {str(oid)[:64]}, which was not uploaded. Upload it first."
            )
            raise BadRequestError(message)
        if said is not None and said != size:
            message = f"{path!r}: the large file {oid} has {size} bytes, not {str(said)[:20]}."
            raise BadRequestError(message)
        blob = self.git.create_blob(bytes(Pointer(str(oid), size)))
        self.steps.append(lambda edit, _tree: edit.put(path, blob))

    def read_deleted_file(self, value: dict[str, Any]) -> None:
        """A file that goes."""
        path = repo_path(_text(value, "path"))
        self.steps.append(lambda edit, tree: _remove(edit, tree, path))

    def read_deleted_folder(self, value: dict[str, Any]) -> None:
        """A folder that goes, with all in it."""
        path = folder_path(_text(value, "path"))
        self.steps.append(lambda edit, tree: _remove(edit, tree, path))

    def commit(self, branch: str, author: history.Author, *, base: str | None = None) -> str:
        """Carry it out on a branch; the caller holds the repository's lock.

        Args:
            branch: full name of the reference that moves.
            author: who asks.
            base: the commit that a new branch starts from.

        Returns:
            The head of the branch: the one before, when nothing changed.
        """
        ref = history.find_ref(self.git, branch)
        if ref is None and base is None:
            message = f"Invalid rev id: {branch.removeprefix('refs/heads/')[:200]}"
            raise RevisionNotFoundError(message)
        parent = history.resolve_revision(self.git, branch if ref is not None else base or "")
        if self.parent is not None and self.parent != str(parent.id):
            raise history.stale_parent()
        tree = self._tree(parent.tree)
        if tree == parent.tree_id and ref is not None:
            return str(parent.id)
        sign = author.signature()
        commit = history.write_commit(self.git, sign, sign, self._message(), tree, [parent.id])
        history.move_branch(self.git, branch, commit, expected=parent.id if ref is not None else None)
        return str(commit)

    def _tree(self, before: pygit2.Tree) -> pygit2.Oid:
        edit = TreeEdit(self.git, before)
        for step in self.steps:
            step(edit, before)
        return edit.write()

    def _message(self) -> str:
        summary = self.summary or "Update"
        return f"{summary}\n\n{self.description}" if self.description else summary


_READERS: dict[str, Callable[[Draft, dict[str, Any]], None]] = {
    "header": Draft.read_header,
    "file": Draft.read_file,
    "lfsFile": Draft.read_lfs_file,
    "deletedFile": Draft.read_deleted_file,
    "deletedFolder": Draft.read_deleted_folder,
    "deletedEntry": Draft.read_deleted_folder,
}


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key) or ""
    if not isinstance(text, str):
        message = f"The commit's `{key}` is not text."
        raise BadRequestError(message)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"The commit's `{key}` is not valid Unicode."
        raise BadRequestError(message) from error
    return text


def _encoding(value: dict[str, Any]) -> str:
    encoding = value.get("encoding", "utf-8")
    if encoding not in ("base64", "utf-8"):
        message = f"The encoding {str(encoding)[:20]!r} is not known: expected base64 or utf-8."
        raise BadRequestError(message)
    return str(encoding)


def _remove(edit: TreeEdit, tree: pygit2.Tree, path: str) -> None:
    if not path:
        for item in tree:
            edit.remove(str(item.name))
    elif entry_at(tree, path) is None:
        message = f"A file with the name {path!r} does not exist: nothing to delete."
        raise EntryNotFoundError(message)
    else:
        edit.remove(path)


def lines_of(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines in what has arrived so far, and the rest."""
    *lines, rest = buffer.split(b"\n")
    if len(rest) > MAX_LINE_SIZE or any(len(line) > MAX_LINE_SIZE for line in lines):
        message = f"A line of the commit is longer than {MAX_LINE_SIZE} bytes. Send large files through LFS."
        raise TooLargeError(message)
    return [line for line in lines if line.strip()], rest


def require_steps(draft: Draft) -> None:
    """Refuse a commit that never said what it is."""
    if not draft.summary:
        message = "The commit has no header with a summary."
        raise UnprocessableError(message)
