"""Git underneath: repositories on disk, revisions, branches, tags and the log."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2
from pygit2.enums import Option, SortMode

from minihub.clock import stamp
from minihub.errors import BadRequestError, ConflictError, HubError, RevisionNotFoundError, StaleParentError
from minihub.storage.durable import sync_folder

pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)  # a commit that was acknowledged survives a power cut

MAIN = "refs/heads/main"
INITIAL_ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in (
        *("*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib", "*.lfs.*"),
        *("*.mlmodel", "*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet", "*.pb"),
        *("*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors", "saved_model/**/*", "*.tar.*"),
        *("*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*"),
    )
)

_HEX = re.compile(r"[0-9a-f]{7,40}")
_PULL = re.compile(r"refs/pr/\d{1,9}")


@dataclass(frozen=True)
class Author:
    """Who made a commit."""

    name: str
    email: str

    def signature(self) -> pygit2.Signature:
        """In git's form, now."""
        return pygit2.Signature(self.name, self.email, int(time.time()), 0)


@dataclass(frozen=True)
class Ref:
    """A branch, tag or pull request, and the commit it stands at."""

    name: str
    ref: str
    commit: str

    def as_json(self) -> dict[str, str]:
        """As clients read it."""
        return {"name": self.name, "ref": self.ref, "targetCommit": self.commit}


def create_repository(folder: Path, author: Author, files: dict[str, str]) -> None:
    """A bare repository whose first commit says which files are large, and has these small files."""
    git = pygit2.init_repository(folder, bare=True, initial_head="main")
    try:
        shutil.rmtree(folder / "hooks", ignore_errors=True)
        builder = git.TreeBuilder()
        for name, text in {".gitattributes": INITIAL_ATTRIBUTES, **files}.items():
            builder.insert(name, git.create_blob(text.encode()), pygit2.enums.FileMode.BLOB)
        sign = author.signature()
        git.references.create(MAIN, write_commit(git, sign, sign, "initial commit", builder.write(), []))
    finally:
        git.free()
    sync_folder(folder)


def write_commit(
    git: pygit2.Repository,
    author: pygit2.Signature,
    committer: pygit2.Signature,
    message: str,
    tree: pygit2.Oid,
    parents: list[pygit2.Oid],
) -> pygit2.Oid:
    """Write a commit that no reference stands at yet; libgit2 says that it did also when the disk is full."""
    commit = git.create_commit(None, author, committer, message, tree, parents)
    if commit not in git:
        message = "git wrote no commit, and gave no reason."
        raise pygit2.GitError(message)
    return commit


def resolve_revision(git: pygit2.Repository, revision: str) -> pygit2.Commit:
    """The commit that a branch, tag, full commit hash or `refs/...` stands for."""
    names = [f"refs/heads/{revision}", f"refs/tags/{revision}"]
    if revision.startswith("refs/"):
        names.insert(0, revision)
    for name in names:
        ref = find_ref(git, name)
        commit = commit_at(ref)
        if commit is not None:
            return commit
    if _HEX.fullmatch(revision):
        found = _commit(git, revision)
        if found is not None:
            return found
    message = f"Invalid rev id: {revision[:200]}"
    raise RevisionNotFoundError(message)


def seen_revision(git: pygit2.Repository, revision: str, lag_s: float) -> pygit2.Commit:
    """The same as it is seen while word of a commit goes round: a branch stands where it stood before."""
    commit = resolve_revision(git, revision)
    if lag_s and find_ref(git, f"refs/heads/{revision}"):
        while commit.parents and commit.commit_time + lag_s > time.time():
            commit = commit.parents[0]
    return commit


def commit_at(ref: pygit2.Reference | None) -> pygit2.Commit | None:
    """The commit that a reference stands at; None for a tag of something else, which a mirror may bring."""
    try:
        return ref.peel(pygit2.Commit) if ref is not None else None
    except pygit2.InvalidSpecError:
        return None


def _commit(git: pygit2.Repository, digits: str) -> pygit2.Commit | None:
    """The commit whose hash begins so; None when there is none, or more than one."""
    try:
        found: object = git.get(digits)
    except ValueError:
        return None
    return found if isinstance(found, pygit2.Commit) else None


def named_commit(git: pygit2.Repository, ref: str) -> str:
    """The commit of a branch or pull request, which must exist."""
    found = commit_at(find_ref(git, ref))
    if found is None:
        message = f"Invalid rev id: {ref.removeprefix('refs/heads/')[:200]}"
        raise RevisionNotFoundError(message)
    return str(found.id)


def find_ref(git: pygit2.Repository, name: str) -> pygit2.Reference | None:
    """The reference of this full name, or None."""
    return git.references.get(name) if is_ref_name(name) else None


def is_ref_name(name: str) -> bool:
    """Whether git allows a reference of this name, and every file system a file for it."""
    return name.isprintable() and len(name.encode()) < 250 and pygit2.reference_is_valid_name(name)


def branch_ref(revision: str) -> str:
    """The full name of the branch or pull request that a commit goes to."""
    if _PULL.fullmatch(revision) or revision.startswith("refs/heads/"):
        return revision
    return f"refs/heads/{revision}"


def list_refs(git: pygit2.Repository, prefix: str) -> list[Ref]:
    """The references below `prefix`, by name."""
    found = []
    for ref in git.references.iterator():
        commit = commit_at(ref) if ref.name.startswith(prefix) else None
        if commit is not None:
            found.append(Ref(ref.name.removeprefix(prefix), ref.name, str(commit.id)))
    return sorted(found, key=lambda ref: ref.name)


def create_branch(git: pygit2.Repository, branch: str, commit: pygit2.Commit) -> None:
    """Start a branch at a commit."""
    _create_ref(git, f"refs/heads/{branch}", commit.id)


def _create_ref(git: pygit2.Repository, name: str, target: pygit2.Oid) -> None:
    _require_free(git, name)
    git.references.create(name, target)


def _require_free(git: pygit2.Repository, name: str) -> None:
    """Refuse a new reference that git could not make: each is a file, so none can be another's folder."""
    if not is_ref_name(name):
        message = (
            f"The reference {name[:200]!r} cannot be made: git does not allow that name. Choose another."
        )
        raise BadRequestError(message)
    for other in git.references:
        if other == name:
            message = f"Reference {name} already exists"
            raise ConflictError(message)
        if other.startswith(f"{name}/") or name.startswith(f"{other}/"):
            message = f"Reference {name} conflicts with {other}: one would be the folder of the other."
            raise ConflictError(message)


def delete_branch(git: pygit2.Repository, branch: str) -> None:
    """Remove a branch; `main` stays."""
    name = f"refs/heads/{branch}"
    if name == MAIN:
        message = f"Cannot delete {name}"
        raise HubError(message, status=403)
    _delete_ref(git, name)


def create_tag(git: pygit2.Repository, tag: str, commit: pygit2.Commit, message: str, author: Author) -> None:
    """Name a commit for good; with a message it becomes an annotated tag."""
    if not message:
        _create_ref(git, f"refs/tags/{tag}", commit.id)
        return
    _require_free(git, f"refs/tags/{tag}")
    text = message.replace("\0", " ")  # git's messages end there
    git.create_tag(tag, commit.id, pygit2.enums.ObjectType.COMMIT, author.signature(), text)


def delete_tag(git: pygit2.Repository, tag: str) -> None:
    """Remove a tag."""
    _delete_ref(git, f"refs/tags/{tag}")


def _delete_ref(git: pygit2.Repository, name: str) -> None:
    if find_ref(git, name) is None:
        message = f"Invalid rev id: {name[:200]} does not exist."
        raise RevisionNotFoundError(message)
    git.references.delete(name)


def walk_history(git: pygit2.Repository, commit: pygit2.Commit) -> Iterator[pygit2.Commit]:
    """A commit and its ancestors, the newest first."""
    yield from git.walk(commit.id, SortMode.TOPOLOGICAL)


def move_branch(git: pygit2.Repository, ref: str, commit: pygit2.Oid, *, expected: pygit2.Oid | None) -> None:
    """Let a branch stand at another commit, if it still stands where it did."""
    current = find_ref(git, ref)
    head = commit_at(current)
    if (head.id if head else None) != expected:
        raise stale_parent()
    if current is None:
        _create_ref(git, ref, commit)
    else:
        current.set_target(commit)


def stale_parent() -> StaleParentError:
    """The answer to a commit whose parent is no longer the head of the branch."""
    message = "The branch was updated since you opened this page. Please refresh and try again."
    return StaleParentError(message)


def title_and_body(commit: pygit2.Commit) -> tuple[str, str]:
    """The first line of a commit's message, and the rest."""
    title, _, body = message_of(commit).partition("\n")
    return title, body.strip("\n")


def message_of(commit: pygit2.Commit) -> str:
    """A commit's message; a mirrored one may be in an encoding that nobody knows."""
    return commit.raw_message.decode("utf-8", "replace")


def author_of(commit: pygit2.Commit) -> str:
    """Who a commit is by; the bytes may be anything in a mirrored one."""
    return commit.author.raw_name.decode("utf-8", "replace")


# Which commit last changed each path: the newest whose parents all have something else there.
def last_commits(git: pygit2.Repository, head: pygit2.Commit, paths: list[str]) -> dict[str, dict[str, Any]]:
    """For each path of a revision the commit that last changed it."""
    found: dict[str, dict[str, Any]] = {}
    open_paths = {path: _oid(head.tree, path) for path in paths}
    for commit in walk_history(git, head):
        if not open_paths:
            break
        trees = [parent.tree for parent in commit.parents]
        changed = [
            path
            for path, oid in open_paths.items()
            if _oid(commit.tree, path) == oid and all(_oid(tree, path) != oid for tree in trees)
        ]
        for path in changed:
            found[path] = describe_commit(commit)
            del open_paths[path]
    return found


def describe_commit(commit: pygit2.Commit) -> dict[str, Any]:
    """A commit as an entry names it."""
    return {
        "id": str(commit.id),
        "title": title_and_body(commit)[0],
        "date": stamp(commit.commit_time),
    }


def _oid(tree: pygit2.Tree, path: str) -> pygit2.Oid | None:
    try:
        return tree[path].id
    except KeyError:
        return None


# Pull requests, as far as commits need them: a reference `refs/pr/N` that starts at a revision.
def next_number(git: pygit2.Repository) -> int:
    """The number of the next pull request; the caller holds the repository's lock."""
    taken = [int(ref.name) for ref in list_refs(git, "refs/pr/") if ref.name.isdecimal()]
    return max(taken, default=0) + 1
