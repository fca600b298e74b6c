"""Configurations that cannot work are answered with the command that mends them."""

import pytest

PAGE = "https://huggingface.co/datasets/alice/checkpoints"
PLACE = "hf://datasets/alice/checkpoints"


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


BAD_URLS = {
    "hf://datasets/alice": "Repository id must be 'namespace/name'",
    "hf://alice": "Repository id must be 'namespace/name'",
    "hf://datasets/a--b/c": "names no place on the Hub",
    "hf://datasets/alice/big@": "names no place on the Hub",
    "hf://datasets/alice/big/tree/main": "The repository is hf://datasets/alice/big: give that",
    "hf://alice/big/blob/main/a.bin": "The repository is hf://models/alice/big: give that",
    PAGE: f"The same repository as a remote is {PLACE}: give that",
    f"{PAGE}/tree/main": f"The same repository as a remote is {PLACE}: give that",
}


@pytest.mark.parametrize(("url", "said"), BAD_URLS.items())
@pytest.mark.parametrize("command", ["add --force hub", "modify hub url"])
def test_a_url_that_no_push_could_use_is_not_saved(project, url: str, said: str, command: str) -> None:
    before = project.read(".dvc/config")
    result = project.dvc("remote", *command.split(), url, ok=False)
    assert said in result.text
    assert "was not saved" in result.text
    assert project.read(".dvc/config") == before


def test_the_page_of_ones_own_hub_is_not_saved(project, hub) -> None:
    result = project.dvc("remote", "add", "other", f"{hub.endpoint}/datasets/alice/checkpoints", ok=False)
    assert f"The same repository as a remote is {PLACE}: give that" in result.text


@pytest.mark.parametrize(
    "url", [f"{PLACE}@dev/sub", "hf://buckets/alice/store", f"{PAGE}/resolve/main", "../store"]
)
def test_a_url_of_use_is_saved(project, url: str) -> None:
    project.dvc("remote", "add", "other", url)


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("/data", "leaves the workspace"),
        ("../data", "leaves the workspace"),
        ("data/../..", "leaves the workspace"),
        ("C:data", "leaves the workspace"),
        ("", "names nothing"),
        (".dvc/tmp", "is not yours"),
        ("a.bin", "is a file"),
    ],
)
def test_a_folder_that_no_push_could_show_is_not_saved(project, folder: str, said: str) -> None:
    project.write("a.bin", b"\0a")
    before = project.read(".dvc/config")
    assert said in project.dvc("remote", "modify", "hub", "publish", folder, ok=False).text
    assert project.read(".dvc/config") == before


def test_a_folder_that_is_not_there_yet_is_saved_and_told(project) -> None:
    result = project.dvc("remote", "modify", "hub", "publish", "chekpoints")
    assert "There is no folder 'chekpoints' in the workspace yet" in result.text
    assert b"publish = chekpoints" in project.read(".dvc/config")


def test_a_push_tells_that_nothing_is_tracked_in_the_folder_to_show(make_project, repo: str) -> None:
    project = make_project(publish="chekpoints")
    project.write("checkpoints/a.bin", b"\0a")
    project.dvc("add", "checkpoints/a.bin")
    assert "DVC tracks nothing in 'chekpoints'" in project.dvc("push").text


def test_an_address_without_a_scheme_is_not_saved(project) -> None:
    result = project.dvc("remote", "modify", "hub", "endpointurl", "localhost:8000", ok=False)
    assert "expected https://HOST[:PORT][/PATH], got 'localhost:8000'" in result.text


def test_what_was_wrong_before_does_not_keep_other_options_from_being_set(make_project) -> None:
    project = make_project(url="hf://datasets/alice", publish="/data")
    project.dvc("remote", "modify", "hub", "verify", "true")


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
