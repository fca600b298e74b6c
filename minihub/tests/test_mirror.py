"""`minihub import`: what another Hub's git gives is read once before it is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pygit2
import pytest
from minihub.errors import BadRequestError
from minihub.names import RepoName
from minihub.state import State
from minihub.testing import Hub
from minihub.upkeep.mirror import copy_repository
from pygit2.enums import ObjectType

from .asking import ask, commit, file

NAME = RepoName("model", "alice", "m")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "other")
    yield state
    state.close()


@pytest.fixture
def head(hub: Hub) -> str:
    token = hub.user("alice")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    return str(commit(hub.endpoint, token, "alice/m", file("a.txt", "words")).json()["commitOid"])


def test_a_copy_has_the_same_commits(hub: Hub, state: State, head: str) -> None:
    repo = copy_repository(state, NAME, hub.endpoint, token="", revisions=[], say=lambda _: None)
    git = pygit2.Repository(str(repo.folder))
    assert str(git.references["refs/heads/main"].target) == head
    git.free()


def test_a_commit_that_nobody_can_parse_is_not_kept(hub: Hub, state: State, head: str) -> None:
    git = pygit2.Repository(str(hub.state.repos.named(NAME).folder))
    broken = f"tree {git[head].peel(pygit2.Tree).id}\nauthor nobody\ncommitter nobody\n\nbroken\n"
    git.references.create("refs/heads/broken", git.write(ObjectType.COMMIT, broken.encode()))
    git.free()
    with pytest.raises(pygit2.GitError):
        copy_repository(state, NAME, hub.endpoint, token="", revisions=[], say=lambda _: None)
    assert state.repos.find(NAME) is None
    assert not list(state.repos.folder.iterdir())


@contextmanager
def host(status: int, location: str = "") -> Iterator[tuple[str, list[str | None]]]:
    """A host that gives everybody one answer, and what it was shown."""
    shown: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization"))
            self.send_response(403 if shown[-1] and status == 401 else status)
            self.send_header("WWW-Authenticate", 'Basic realm="Hub"')
            self.send_header("Location", location + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_does_not_go_where_the_other_hub_leads(state: State) -> None:
    with (
        host(401) as (stranger, shown),
        host(302, stranger) as (endpoint, _),
        pytest.raises(BadRequestError, match=stranger),
    ):
        copy_repository(state, NAME, endpoint, token="hf_secret", revisions=[], say=lambda _: None)
    assert shown == []
    assert state.repos.find(NAME) is None


def test_a_private_repository_is_copied_with_a_token(hub: Hub, state: State, head: str) -> None:
    token = hub.token("alice", role="read")
    ask(hub.endpoint, "PUT", "/api/models/alice/m/settings", {"private": True}, hub.token("alice"))
    with pytest.raises(pygit2.GitError):
        copy_repository(state, NAME, hub.endpoint, token="", revisions=[], say=lambda _: None)
    repo = copy_repository(state, NAME, hub.endpoint, token=token, revisions=[], say=lambda _: None)
    git = pygit2.Repository(str(repo.folder))
    assert str(git.references["refs/heads/main"].target) == head
    git.free()
