"""Configurations that cannot work are answered with the command that mends them."""

import pytest

PAGE = "https://huggingface.co/datasets/alice/checkpoints"


@pytest.mark.parametrize("command", [("push",), ("pull",), ("status", "--cloud")])
def test_a_web_address_as_a_remote_is_answered_with_the_hf_url(
    make_project, command: tuple[str, ...]
) -> None:
    project = make_project(url=PAGE)
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    result = project.dvc(*command, ok=False)
    assert "dvc remote modify hub url hf://datasets/alice/checkpoints" in result.text


def test_a_web_address_with_a_token_in_it_is_answered_without_the_token(make_project) -> None:
    project = make_project(url=PAGE.replace("://", "://alice:hunter2@"))
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    result = project.dvc("push", "-v", ok=False)
    assert "dvc remote modify hub url hf://datasets/alice/checkpoints" in result.text
    assert "hunter2" not in result.text


def test_the_command_that_mends_a_web_address_works(make_project, repo: str, commits) -> None:
    project = make_project(url=PAGE + "/tree/main")
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    project.dvc("remote", "modify", "hub", "url", "hf://datasets/alice/checkpoints")
    project.dvc("push")
    assert commits() == 1


def test_a_token_is_kept_out_of_the_config_that_git_sees(project, token: str) -> None:
    result = project.dvc("remote", "modify", "hub", "token", token, ok=False)
    assert "dvc remote modify --local hub token" in result.text
    assert token not in result.text
    assert token.encode() not in project.read(".dvc/config")


def test_a_token_is_kept_in_the_local_config(project, token: str) -> None:
    project.dvc("remote", "modify", "--local", "hub", "token", token)
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    project.dvc("push", HF_TOKEN="")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"publish": "data", "version_aware": "true"}, "has plain names already"),
        ({"prune": "true"}, "needs 'dvc remote modify NAME worktree true'"),
    ],
)
def test_options_that_exclude_one_another_are_refused(
    make_project, repo: str, options: dict[str, str], said: str
) -> None:
    project = make_project(**options)
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    assert said in project.dvc("push", ok=False).text
