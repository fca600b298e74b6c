"""Git underneath: repositories on disk, revisions, branches, tags and the log."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import Option, SortMode

from minihub.durable import sync_folder
from minihub.errors import BadRequestError, ConflictError, HubError, RevisionNotFoundError, StaleParentError

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


def create(folder: Path, author: Author, files: dict[str, str]) -> None:
    """A bare repository whose first commit says which files are large, and has these small files."""
    git = pygit2.init_repository(folder, bare=True, initial_head="main")
    try:
        shutil.rmtree(folder / "hooks", ignore_errors=True)
        builder = git.TreeBuilder()
        for name, text in {".gitattributes": INITIAL_ATTRIBUTES, **files}.items():
            builder.insert(name, git.create_blob(text.encode()), pygit2.enums.FileMode.BLOB)
        sign = author.signature()
        git.create_commit(MAIN, sign, sign, "initial commit", builder.write(), [])
    finally:
        git.free()
    sync_folder(folder)


def resolve(git: pygit2.Repository, revision: str) -> pygit2.Commit:
    """The commit that a branch, tag, full commit hash or `refs/...` stands for."""
    names = [f"refs/heads/{revision}", f"refs/tags/{revision}"]
    if revision.startswith("refs/"):
        names.insert(0, revision)
    for name in names:
        ref = find_ref(git, name)
        if ref is not None:
            return ref.peel(pygit2.Commit)
    if _HEX.fullmatch(revision):
        found = _commit(git, revision)
        if found is not None:
            return found
    message = f"Invalid rev id: {revision[:200]}"
    raise RevisionNotFoundError(message)


def _commit(git: pygit2.Repository, digits: str) -> pygit2.Commit | None:
    """The commit whose hash begins so; None when there is none, or more than one."""
    try:
        found: object = git.get(digits)
    except ValueError:
        return None
    return found if isinstance(found, pygit2.Commit) else None


def named(git: pygit2.Repository, ref: str) -> str:
    """The commit of a branch or pull request, which must exist."""
    found = find_ref(git, ref)
    if found is None:
        message = f"Invalid rev id: {ref.removeprefix('refs/heads/')[:200]}"
        raise RevisionNotFoundError(message)
    return str(found.peel(pygit2.Commit).id)


def find_ref(git: pygit2.Repository, name: str) -> pygit2.Reference | None:
    """The reference of this full name, or None."""
    if not is_ref_name(name):
        return None
    try:
        return git.references.get(name)
    except (ValueError, pygit2.GitError):
        return None


def is_ref_name(name: str) -> bool:
    """Whether git allows a reference of this name."""
    return len(name) < 256 and name.isprintable() and pygit2.reference_is_valid_name(name)


def branch_ref(revision: str) -> str:
    """The full name of the branch or pull request that a commit goes to."""
    if _PULL.fullmatch(revision) or revision.startswith("refs/heads/"):
        return revision
    return f"refs/heads/{revision}"


def refs(git: pygit2.Repository, prefix: str) -> list[Ref]:
    """The references below `prefix`, by name."""
    found = []
    for ref in git.references.iterator():
        if ref.name.startswith(prefix):
            commit = str(ref.peel(pygit2.Commit).id)
            found.append(Ref(ref.name.removeprefix(prefix), ref.name, commit))
    return sorted(found, key=lambda ref: ref.name)


def create_branch(git: pygit2.Repository, branch: str, commit: pygit2.Commit) -> None:
    """Start a branch at a commit."""
    _create_ref(git, f"refs/heads/{branch}", commit.id)


def _create_ref(git: pygit2.Repository, name: str, target: pygit2.Oid) -> None:
    if not is_ref_name(name):
        message = (
            f"The reference {name[:200]!r} cannot be made: git does not allow that name. Choose another."
        )
        raise BadRequestError(message)
    if find_ref(git, name) is not None:
        message = f"Reference {name} already exists"
        raise ConflictError(message)
    try:
        git.references.create(name, target)
    except (ValueError, pygit2.GitError, OSError) as error:
        message = f"Reference {name} conflicts with another: {error}"
        raise ConflictError(message) from error


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
    if find_ref(git, f"refs/tags/{tag}") is not None:
        text = f"Tag reference already exists: refs/tags/{tag}"
        raise ConflictError(text)
    try:
        git.create_tag(tag, commit.id, pygit2.enums.ObjectType.COMMIT, author.signature(), message)
    except (ValueError, pygit2.GitError) as error:
        text = f"The tag {tag[:200]!r} cannot be made: {error}. Choose another name."
        raise BadRequestError(text) from error


def delete_tag(git: pygit2.Repository, tag: str) -> None:
    """Remove a tag."""
    _delete_ref(git, f"refs/tags/{tag}")


def _delete_ref(git: pygit2.Repository, name: str) -> None:
    if find_ref(git, name) is None:
        message = f"Invalid rev id: {name[:200]} does not exist."
        raise RevisionNotFoundError(message)
    git.references.delete(name)


def log(git: pygit2.Repository, commit: pygit2.Commit) -> Iterator[pygit2.Commit]:
    """A commit and its ancestors, the newest first."""
    yield from git.walk(commit.id, SortMode.TOPOLOGICAL)


def move(git: pygit2.Repository, ref: str, commit: pygit2.Oid, *, expected: pygit2.Oid | None) -> None:
    """Let a branch stand at another commit, if it still stands where it did."""
    current = find_ref(git, ref)
    if (current.peel(pygit2.Commit).id if current else None) != expected:
        raise stale()
    if current is None:
        _create_ref(git, ref, commit)
    else:
        current.set_target(commit)


def stale() -> StaleParentError:
    """The answer to a commit whose parent is no longer the head of the branch."""
    message = "The branch was updated since you opened this page. Please refresh and try again."
    return StaleParentError(message)


def title_and_body(commit: pygit2.Commit) -> tuple[str, str]:
    """The first line of a commit's message, and the rest."""
    title, _, body = commit.message.partition("\n")
    return title, body.strip("\n")
