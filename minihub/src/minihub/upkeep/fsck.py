"""Looks at everything that a Hub keeps and says what is broken."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pygit2

from minihub.errors import HubError
from minihub.files.contents import Content
from minihub.git import history
from minihub.git.pointers import parse_pointer
from minihub.git.repos import Repo
from minihub.state import State
from minihub.xet import hashes
from minihub.xet.xorbs import read_chunks


def check_hub(state: State) -> Iterator[str]:
    """One line for each thing that is wrong."""
    yield from _check_blobs(state)
    yield from _check_xorbs(state)
    for repo in state.repos.all():
        if repo.name.type != "bucket":
            yield from _check_git(state, repo)
        yield from _check_held(state, repo)


def _check_blobs(state: State) -> Iterator[str]:
    for oid in state.blobs.oids():
        if _sha256(state.blobs.path(oid)) != oid:
            yield f"blob {oid}: its content has another sha256"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_xorbs(state: State) -> Iterator[str]:
    for xorb in state.cas.xorbs():
        name = hashes.to_hex(xorb)
        try:
            with state.cas.path(xorb).open("rb") as file:
                found = hashes.xorb_hash([(chunk.hash, chunk.size) for chunk in read_chunks(file)])
        except FileNotFoundError:
            yield f"xorb {name}: its file is missing"
        except HubError as error:
            yield f"xorb {name}: {error.message}"
        else:
            if found != xorb:
                yield f"xorb {name}: its chunks hash to {hashes.to_hex(found)}"


def _check_git(state: State, repo: Repo) -> Iterator[str]:
    try:
        git = pygit2.Repository(str(repo.folder))
    except pygit2.GitError as error:
        yield f"{repo.name}: its git folder cannot be opened: {error}"
        return
    try:
        seen: set[pygit2.Oid] = set()
        for ref in git.references:
            yield from _check_ref(state, repo, git, ref, seen)
        if history.find_ref(git, history.MAIN) is None:
            yield f"{repo.name}: it has no branch main"
    finally:
        git.free()


def _check_ref(
    state: State, repo: Repo, git: pygit2.Repository, ref: str, seen: set[pygit2.Oid]
) -> Iterator[str]:
    try:
        head = git.references[ref].peel(pygit2.Commit)
        for commit in history.walk_history(git, head):
            if commit.id not in seen:
                seen.add(commit.id)
                yield from _check_tree(state, repo, git, commit.tree_id, seen)
    except (KeyError, ValueError, pygit2.GitError) as error:
        yield f"{repo.name}: {ref} cannot be read: {error}"


def _check_tree(
    state: State, repo: Repo, git: pygit2.Repository, tree: pygit2.Oid, seen: set[pygit2.Oid]
) -> Iterator[str]:
    """Reading an object checks its hash; a pointer must lead to content of its size."""
    if tree in seen:
        return
    seen.add(tree)
    for item in git[tree]:  # type: ignore[attr-defined]
        if isinstance(item, pygit2.Tree):
            yield from _check_tree(state, repo, git, item.id, seen)
        elif item.id not in seen:
            seen.add(item.id)
            pointer = parse_pointer(git[item.id].data)  # type: ignore[attr-defined]
            if pointer and state.lfs.size(repo, pointer.oid) != pointer.size:
                yield f"{repo.name}: {item.name} points to {pointer.oid}, which the repository does not hold"


def _check_held(state: State, repo: Repo) -> Iterator[str]:
    for item in state.lfs.all(repo):
        try:
            content = state.contents.find(item.oid)
        except HubError:
            yield f"{repo.name}: the content of {item.oid} is missing"
            continue
        if content.size != item.size:
            yield f"{repo.name}: {item.oid} has {content.size} bytes, not {item.size}"
        elif content.path is None and _sha256_of(state, content) != item.oid:
            yield f"{repo.name}: the chunks of {item.oid} have another sha256"
    for file in state.buckets.files(repo, ""):
        if file.size and state.cas.file(file.hash) is None:
            yield f"{repo.name}: the content of {file.path} is missing"


def _sha256_of(state: State, content: Content) -> str:
    digest = hashlib.sha256()
    for piece in state.contents.pieces(content, 0, content.size):
        digest.update(piece)
    return digest.hexdigest()
