"""A repository of another Hub, copied with its commits: the same hashes, so pins keep their meaning."""

import base64
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pygit2

from minihub.errors import BadRequestError
from minihub.git import history
from minihub.git.pointers import Pointer
from minihub.git.repos import Repo
from minihub.git.trees import walk_tree
from minihub.names import RepoName
from minihub.state import State
from minihub.storage.blobs import READ_SIZE

REFSPECS = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]

ANSWER_WITHIN_S = 60

Say = Callable[[str], None]


class Credentials(pygit2.RemoteCallbacks):
    """Shows the token to the other Hub when it asks."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def credentials(self, _url: str, _user: str | None, _allowed: object) -> pygit2.UserPass:
        """The token, as git sends it."""
        return pygit2.UserPass("user", self._token)


class NoDetour(urllib.request.HTTPRedirectHandler):
    """Follows redirects that stay at one Hub."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request, unless it would take the token elsewhere.

        Raises:
            BadRequestError: it would.
        """
        asked, led = urlsplit(req.full_url), urlsplit(newurl)
        if asked[:2] == led[:2]:
            return super().redirect_request(req, fp, code, msg, headers, newurl)
        message = (
            f"{asked.path} was not copied: {asked.hostname} leads to {led.scheme}://{led.netloc}, and the "
            "token would go there, too. If that is the Hub you mean, name it with --from, or give none."
        )
        raise BadRequestError(message)


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

    Raises:
        BadRequestError: the other Hub would lead the token elsewhere.
    """
    url = f"{endpoint.rstrip('/')}/{name.url_path}"
    if token:
        _require_no_detour(url, token)
    author = history.Author("minihub", "minihub@minihub.invalid")
    known = state.repos.find(name)
    repo = known or state.repos.create(name, private=False, author=author)
    git = pygit2.Repository(str(repo.folder))
    try:
        remote = git.remotes.create_anonymous(url)
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


def _require_no_detour(url: str, token: str) -> None:
    """Ask as git will: libgit2 shows a token wherever it is led, and says to nobody where that is."""
    if not url.startswith(("http://", "https://")):
        return
    login = base64.b64encode(f"user:{token}".encode()).decode()
    first = f"{url}/info/refs?service=git-upload-pack"
    request = urllib.request.Request(first, headers={"Authorization": f"Basic {login}"})  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoDetour)  # libgit2 asks no proxy
    with suppress(HTTPError), opener.open(request, timeout=ANSWER_WITHIN_S):
        pass  # what the answer is, git will say


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
