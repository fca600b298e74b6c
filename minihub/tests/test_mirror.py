"""`minihub import`: what another Hub's git gives is read once before it is kept."""

from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest
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
