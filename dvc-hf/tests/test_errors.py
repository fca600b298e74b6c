"""What goes wrong on the Hub ends with its own message and a next step, and never with exit status 0."""

from collections.abc import Callable
from pathlib import Path

import pytest
from minihub.testing import Hub

URL = "hf://datasets/alice/checkpoints"


@pytest.fixture
def ready(make_project: Callable[..., object]):
    """A project with a file to push; its repository is not there yet."""

    def make(**options: str):
        project = make_project(**options)
        project.write("a.bin", b"\0a")
        project.dvc("add", "a.bin")
        return project

    return make


@pytest.mark.parametrize("command", [("push",), ("status", "--cloud")])
def test_a_missing_repository_is_named_with_the_command_that_makes_it(
    ready, command: tuple[str, ...]
) -> None:
    result = ready().dvc(*command, ok=False)
    assert f"{URL}: the repository does not exist" in result.text
    assert "hf repos create alice/checkpoints --repo-type dataset" in result.text
    assert "create public" in result.text


def test_a_pull_from_a_missing_repository_fails_and_does_not_claim_to_be_up_to_date(ready) -> None:
    project = ready()
    project.run("rm", "-rf", ".dvc/cache", "a.bin")
    result = project.dvc("pull", ok=False)
    assert "the repository does not exist" in result.text
    assert "up to date" not in result.text


def test_without_a_token_a_push_says_how_to_log_in(ready, repo: str) -> None:
    result = ready().dvc("push", ok=False, HF_TOKEN="")
    assert "no token was sent" in result.text
    assert "hf auth login" in result.text


def test_an_unknown_token_is_called_that(ready, repo: str) -> None:
    result = ready().dvc("push", ok=False, HF_TOKEN="hf_unknown")
    assert "does not accept the token" in result.text
    assert "hf_unknown" not in result.text


def test_a_token_that_may_only_read_is_told_what_it_lacks(ready, repo: str, hub: Hub) -> None:
    token = hub.token("alice", role="read")
    result = ready().dvc("push", ok=False, HF_TOKEN=token)
    assert "the token may not do this" in result.text
    assert "write permission" in result.text


def test_a_wrong_branch_is_named(make_project, repo: str) -> None:
    project = make_project(url=f"{URL}@dev")
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    result = project.dvc("push", ok=False)
    assert "no branch, tag or commit 'dev'" in result.text
    assert "hf repos branch create alice/checkpoints dev --repo-type dataset" in result.text


def test_a_hub_that_does_not_answer_is_named(ready, repo: str) -> None:
    result = ready(endpointurl="http://127.0.0.1:9").dvc("push", ok=False)
    assert "no answer from http://127.0.0.1:9" in result.text


def test_a_url_that_names_no_repository_is_refused_with_an_example(make_project) -> None:
    project = make_project(url="hf://datasets")
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    result = project.dvc("push", ok=False)
    assert "names no place on the Hub" in result.text
    assert "hf://datasets/OWNER/NAME" in result.text


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_create_makes_a_missing_repository(ready, api, visibility: str) -> None:
    ready(create=visibility).dvc("push")
    assert api.repo_info("alice/checkpoints", repo_type="dataset").private is (visibility == "private")


def test_an_unknown_option_is_refused(project) -> None:
    result = project.dvc("remote", "modify", "hub", "revision", "dev", ok=False)
    assert "extra keys not allowed" in result.text


def test_a_commit_that_fails_for_good_pushes_nothing_and_the_next_push_sends_all(
    ready, repo: str, hub: Hub, commits
) -> None:
    project = ready()
    hub.fail("POST", "*/commit/*", status=403, times=None)
    result = project.dvc("push", ok=False)
    assert "failed to push" in result.text
    assert commits() == 0
    hub.recover()
    assert "1 file pushed" in project.dvc("push").out
    assert "in sync" in project.dvc("status", "--cloud").out


@pytest.mark.parametrize("status", [412, 429, 500, 503])
def test_a_commit_that_fails_once_is_sent_again(ready, repo: str, hub: Hub, commits, status: int) -> None:
    project = ready()
    hub.fail("POST", "*/commit/*", status=status)
    project.dvc("push")
    assert commits() == 1


def test_the_token_is_in_no_output(ready, repo: str, token: str, hub: Hub) -> None:
    project = ready()
    project.dvc("remote", "modify", "--local", "hub", "token", token)
    assert token not in project.dvc("push", "-vv", HF_TOKEN="").text
    hub.fail("*", "*", status=500, times=None)
    project.write("b.bin", b"\0b")
    project.dvc("add", "b.bin")
    hub.recover()
    hub.fail("POST", "*/commit/*", status=403, times=None)
    assert token not in project.dvc("push", "-vv", ok=False, HF_TOKEN="", DVC_SHOW_TRACEBACK="1").text
    assert token not in Path(project.folder, ".dvc/config").read_text()
