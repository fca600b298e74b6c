"""A repository of another Hub, copied with its commits: the same hashes, so pins keep their meaning."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pygit2

from minihub.git import history
from minihub.git.pointers import Pointer
from minihub.git.repos import Repo
from minihub.git.trees import walk_tree
from minihub.names import RepoName
from minihub.state import State
from minihub.storage.blobs import READ_SIZE

REFSPECS = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]

Say = Callable[[str], None]


class Credentials(pygit2.RemoteCallbacks):
    """Shows the token to the other Hub when it asks."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def credentials(self, _url: str, _user: str | None, _allowed: object) -> pygit2.UserPass:
        """The token, as git sends it."""
        return pygit2.UserPass("user", self._token)


def copy_repository(
    state: State, name: RepoName, endpoint: str, *, token: str, revisions: list[str], say: Say
) -> Repo:
    """Copy a repository's history, and the large files of some revisions.

    Args:
        state: the Hub to copy to.
        name: the repository, called the same on both Hubs; made when it is not here.
        endpoint: address of the other Hub.
        token: for the other Hub; may be empty.
        revisions: whose large files are copied; all branches and tags when empty.
        say: told what happens.
    """
    author = history.Author("minihub", "minihub@minihub.invalid")
    known = state.repos.find(name)
    repo = known or state.repos.create(name, private=False, author=author)
    git = pygit2.Repository(str(repo.folder))
    try:
        remote = git.remotes.create_anonymous(f"{endpoint.rstrip('/')}/{name.url_path}")
        remote.fetch(REFSPECS, callbacks=Credentials(token) if token else None)
        _require_readable(git)
    except pygit2.GitError:
        git.free()
        if known is None:
            state.repos.delete(repo)
        raise
    try:
        heads = revisions or [ref.ref for ref in history.list_refs(git, "refs/")]
        for path, commit, pointer in _missing(state, repo, git, heads):
            say(f"{path} at {commit[:12]}: {pointer.size} bytes")
            _fetch(state, name, endpoint, token, path, commit, pointer)
            state.lfs.add(repo, pointer.oid, pointer.size)
    finally:
        git.free()
    state.repos.touch(repo)
    return repo


def _require_readable(git: pygit2.Repository) -> None:
    """Read every commit once: git takes over what it cannot parse, and every later request would fail."""
    for ref in history.list_refs(git, "refs/"):
        for commit in history.walk_history(git, history.resolve_revision(git, ref.commit)):
            history.author_of(commit)


def _missing(
    state: State, repo: Repo, git: pygit2.Repository, heads: list[str]
) -> Iterator[tuple[str, str, Pointer]]:
    for head in heads:
        commit = history.resolve_revision(git, head)
        for entry in walk_tree(commit.tree, recursive=True):
            if entry.pointer and state.lfs.size(repo, entry.pointer.oid) is None:
                yield entry.path, str(commit.id), entry.pointer


def _fetch(
    state: State, name: RepoName, endpoint: str, token: str, path: str, commit: str, pointer: Pointer
) -> None:
    if state.blobs.size(pointer.oid) is not None:
        return
    from huggingface_hub import hf_hub_download

    with tempfile.TemporaryDirectory(dir=state.folder) as folder:
        local = hf_hub_download(
            name.id,
            path,
            repo_type=name.type,
            revision=commit,
            endpoint=endpoint,
            token=token or False,
            local_dir=folder,
        )
        with Path(local).open("rb") as file, state.blobs.writer(pointer.oid, pointer.size) as writer:
            while piece := file.read(READ_SIZE):
                writer.write(piece)
            writer.finish()
