"""Trees of a revision: looking up, listing in pages, and changing."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pygit2
from pygit2.enums import FileMode

from minihub.errors import BadRequestError, EntryNotFoundError, UnprocessableError
from minihub.git.pointers import MAX_POINTER_SIZE, Pointer, parse_pointer
from minihub.names import MAX_PATH_LENGTH, is_part

MEASURED_KEPT = 1 << 18  # blobs whose size and pointer are remembered; a hash names one content for ever

_measured: dict[str, tuple[int, Pointer | None]] = {}


@dataclass(frozen=True)
class TreeEntry:
    """A file or folder of a revision."""

    path: str
    oid: str  # git's sha1
    is_folder: bool
    size: int = 0  # of the pointer, for a large file
    pointer: Pointer | None = None

    @property
    def etag(self) -> str:
        """What names the content: sha256 of a large file, git's sha1 of another."""
        return self.pointer.oid if self.pointer else self.oid

    @property
    def content_size(self) -> int:
        """Bytes that a download gives."""
        return self.pointer.size if self.pointer else self.size


def entry_at(tree: pygit2.Tree, path: str) -> TreeEntry | None:
    """What is at `path`, or None."""
    try:
        found = tree[path]
    except KeyError:
        return None
    return _entry(path, found)


def file_at(commit: pygit2.Commit, path: str) -> TreeEntry:
    """The file at `path`."""
    entry = entry_at(commit.tree, path)
    if entry is None or entry.is_folder:
        message = f"Entry not found: {path!r} does not exist on revision {commit.id}."
        raise EntryNotFoundError(message)
    return entry


def folder_at(commit: pygit2.Commit, path: str) -> pygit2.Tree:
    """The folder at `path`; the root is the empty string."""
    if not path:
        return commit.tree
    try:
        found = commit.tree[path]
    except KeyError:
        found = None
    if not isinstance(found, pygit2.Tree):
        message = f"{path} does not exist on revision {commit.id}."
        raise EntryNotFoundError(message)
    return found


def walk_tree(
    tree: pygit2.Tree, prefix: str = "", *, recursive: bool, after: str = ""
) -> Iterator[TreeEntry]:
    """Entries in git's own order, each folder before what is in it, from the one after `after` on."""
    first, _, rest = after.partition("/")
    start = 0
    if first:
        start = _position(tree, first)
        item = tree[start]
        if recursive and isinstance(item, pygit2.Tree):
            yield from walk_tree(item, f"{prefix}{first}/", recursive=True, after=rest)
        start += 1
    for index in range(start, len(tree)):
        item = tree[index]
        name = str(item.name)
        path = f"{prefix}{name}"
        entry = _entry(path, item) if is_part(name) and len(path) <= MAX_PATH_LENGTH else None
        if entry is None:  # also what a mirror brought under a name that no request can ask for
            continue
        yield entry
        if recursive and isinstance(item, pygit2.Tree):
            yield from walk_tree(item, f"{path}/", recursive=True)


def _position(tree: pygit2.Tree, name: str) -> int:
    """Where `name` is among the entries of a folder, which git sorts as if folders ended in a slash."""
    if name not in tree:
        message = (
            f"The cursor of this page names {name!r}, which is not in the folder. Start at the first page."
        )
        raise BadRequestError(message)
    return bisect.bisect_left(range(len(tree)), _sort_key(tree[name]), key=lambda i: _sort_key(tree[i]))


def _sort_key(item: Any) -> bytes:
    name: bytes = item.raw_name
    return name + b"/" if isinstance(item, pygit2.Tree) else name


def _entry(path: str, item: Any) -> TreeEntry | None:
    if isinstance(item, pygit2.Tree):
        return TreeEntry(path, str(item.id), is_folder=True)
    if not isinstance(item, pygit2.Blob):
        return None  # a submodule: nothing of it is here
    if item.filemode == FileMode.LINK:
        return TreeEntry(path, str(item.id), is_folder=False, size=item.size)
    size, pointer = _measure(item)
    return TreeEntry(path, str(item.id), is_folder=False, size=size, pointer=pointer)


def _measure(blob: pygit2.Blob) -> tuple[int, Pointer | None]:
    oid = str(blob.id)
    known = _measured.get(oid)
    if known is None:
        pointer = parse_pointer(blob.data) if blob.size <= MAX_POINTER_SIZE else None
        known = blob.size, pointer
        if len(_measured) >= MEASURED_KEPT:
            _measured.clear()
        _measured[oid] = known
    return known


class TreeEdit:
    """Changes to a tree, gathered and then written: only the folders on changed paths are touched."""

    def __init__(self, git: pygit2.Repository, tree: pygit2.Tree) -> None:
        self._git = git
        self._tree = tree
        self._changes: dict[str, Any] = {}

    def put(self, path: str, blob: pygit2.Oid) -> None:
        """Let `path` be a file with this content."""
        *folders, name = path.split("/")
        self._folder(folders, path)[name] = blob

    def remove(self, path: str) -> None:
        """Let there be nothing at `path`."""
        *folders, name = path.split("/")
        self._folder(folders, path)[name] = None

    def write(self) -> pygit2.Oid:
        """Write the changed trees; returns the root."""
        return _write(self._git, self._tree, self._changes) or self._git.TreeBuilder().write()

    def _folder(self, folders: list[str], path: str) -> dict[str, Any]:
        changes = self._changes
        for folder in folders:
            below = changes.get(folder)
            if isinstance(below, pygit2.Oid):
                message = (
                    f"The path {path!r} cannot be written: {folder!r} in it is a file of the same commit."
                )
                raise UnprocessableError(message)
            if below is None:
                below = changes[folder] = _Folder(replaces=folder in changes)
            changes = below
        return changes


class _Folder(dict[str, Any]):
    """Changes below one folder; `replaces` when what was there before is gone."""

    def __init__(self, *, replaces: bool) -> None:
        super().__init__()
        self.replaces = replaces


def _write(git: pygit2.Repository, tree: pygit2.Tree | None, changes: dict[str, Any]) -> pygit2.Oid | None:
    builder = git.TreeBuilder(tree) if tree is not None else git.TreeBuilder()
    for name, change in changes.items():
        before = tree[name] if tree is not None and name in tree else None
        if isinstance(change, _Folder):
            below = before if isinstance(before, pygit2.Tree) and not change.replaces else None
            change = _write(git, below, change)
            mode = FileMode.TREE
        else:
            mode = before.filemode if isinstance(before, pygit2.Blob) else FileMode.BLOB
        if change is not None:
            builder.insert(name, change, mode if mode != FileMode.LINK else FileMode.BLOB)
        elif before is not None:
            builder.remove(name)
    return builder.write() if len(builder) else None
