"""What goes wrong on the Hub ends with its own message and a next step, and never with exit status 0."""

import hashlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
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


def test_a_repository_of_another_type_under_that_name_is_named(make_project, repo: str) -> None:
    project = make_project("hf://alice/checkpoints")
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    result = project.dvc("push", ok=False)
    assert "there is no model of this name" in result.text
    assert f"dvc remote modify NAME url {URL}" in result.text
    project.dvc("remote", "modify", "hub", "url", URL)
    project.dvc("push")


def test_the_host_of_a_page_is_no_owner(make_project) -> None:
    refused = make_project().dvc("remote", "add", "other", "hf://huggingface.co/datasets/alice/big", ok=False)
    assert "the host is left out after hf://" in refused.text


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
    assert "the Hub does not allow it: " in result.text
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


@pytest.mark.parametrize("status", [409, 412, 429, 500, 503])
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


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (
            429,
            {"Retry-After": "400"},
            "rate limit is reached (a fault that a test asked for). Wait 401 seconds",
        ),
        (400, {}, "the Hub refused it with 400"),
    ],
)
def test_a_refusal_for_good_says_what_the_hub_said_and_when_to_come_again(
    ready, repo: str, hub: Hub, commits, status: int, headers: dict[str, str], said: str
) -> None:
    hub.fail("POST", "*/commit/*", status=status, headers=headers, times=None)
    result = ready().dvc("push", ok=False)
    assert said in result.text
    assert commits() == 0


@pytest.mark.slow
def test_a_hub_that_stays_broken_is_given_up_after_a_while(ready, repo: str, hub: Hub, commits) -> None:
    hub.fail("POST", "*/commit/*", status=503, times=None)
    result = ready().dvc("push", ok=False)
    assert "the Hub answered 503" in result.text
    assert "what was uploaded is kept" in result.text
    assert commits() == 0


def test_gated_access_is_named_with_the_page_where_it_is_asked_for(ready, repo: str, hub: Hub, api) -> None:
    project = ready()
    project.write("b.bin", b"\0b")
    project.dvc("add", "b.bin")
    project.dvc("push")
    api.update_repo_settings(repo, repo_type="dataset", gated="manual")
    project.run("rm", "-rf", ".dvc/cache", "a.bin", "b.bin")
    result = project.dvc("pull", ok=False, HF_TOKEN=hub.user("bob"))
    assert f"access is gated. Ask for it at {hub.endpoint}/datasets/alice/checkpoints" in result.text
    assert "unexpected error" not in result.text
    assert "up to date" not in result.text


def test_one_download_that_fails_does_not_stop_the_others(ready, repo: str, hub: Hub) -> None:
    project = ready()
    for name in "bcd":
        project.write(f"{name}.bin", f"\0{name}")
    project.dvc("add", "b.bin", "c.bin", "d.bin")
    project.dvc("push")
    project.run("rm", "-rf", ".dvc/cache", "a.bin", "b.bin", "c.bin", "d.bin")
    hub.fail("GET", "*/resolve/*", status=403)
    result = project.dvc("pull", "-j", "1", ok=False)
    assert "unexpected error" not in result.text
    assert "1 files failed to download" in result.text
    assert len(list(project.folder.glob(".dvc/cache/files/md5/*/*"))) == 3
    project.dvc("pull")
    assert len(list(project.folder.glob("?.bin"))) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size there")
def test_a_disk_that_takes_no_more_is_named_and_the_next_pull_completes(ready, repo: str) -> None:
    project = ready()
    project.write("big.bin", b"\0" * 3_000_000)
    project.dvc("add", "big.bin")
    project.dvc("push")
    project.run("rm", "-rf", ".dvc/cache", "big.bin")
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "from dvc.cli import main; sys.exit(main(['pull', 'big.bin']))"
    )
    result = project.run(sys.executable, "-c", script, ok=False)
    assert "File too large" in result.text
    assert "unexpected error" not in result.text
    assert not (project.folder / "big.bin").exists()
    project.dvc("pull")
    assert project.read("big.bin") == b"\0" * 3_000_000


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("Your storage for private repositories is used up.", "settings/billing"),
        ("You may not write to this repository.", "a push needs a token with write permission"),
        (
            "You don't have the rights to create a space in the namespace x.",
            "a push needs a token with write",
        ),
    ],
)
def test_the_hub_speaks_first_and_a_token_is_advised_where_it_speaks_of_rights(
    ready, repo: str, hub: Hub, said: str, advised: str
) -> None:
    project = ready()
    hub.fail("POST", "*/commit/*", status=403, headers={"X-Error-Message": said}, times=None)
    result = project.dvc("push", ok=False)
    assert f"the Hub does not allow it: {said} " in result.text
    assert advised in result.text
    assert ("token" in result.text) is ("token" in advised)


def test_all_that_the_hub_says_of_a_card_is_shown(ready, repo: str, hub: Hub) -> None:
    said = 'README.md: "license" is not known'
    hub.fail("POST", "*/commit/*", status=400, headers={"X-Error-Message": said}, times=None)
    result = ready().dvc("push", ok=False)
    assert f"the Hub refused it with 400: {said}" in result.text
    assert "(1 file: a.bin)" in result.text


def test_a_refusal_names_the_file_as_its_user_knows_it(make_project, repo: str, hub: Hub) -> None:
    project = make_project()
    for name in ("one", "two", "three"):
        project.write(f"d/{name}.bin", f"\0{name}")
    project.dvc("add", "d")
    md5 = hashlib.md5(b"\0two").hexdigest()
    said = f"refused: files/md5/{md5[:2]}/{md5[2:]} holds a secret"
    hub.fail("POST", "*/commit/*", status=400, headers={"X-Error-Message": said}, times=None)
    assert "files: d/two.bin)" in project.dvc("push", ok=False).text


def test_a_refusal_of_a_card_names_the_card(publishing, hub: Hub) -> None:
    said = '"license": not on the list'
    hub.fail("POST", "*/commit/*", status=400, headers={"X-Error-Message": said}, times=None)
    result = publishing.dvc("push", ok=False)
    assert said in result.text
    assert "files: README.md, " in result.text


def test_a_file_that_the_store_has_just_taken_is_waited_for(ready, repo: str, hub: Hub, commits) -> None:
    late = {"X-Error-Message": "LFS pointer pointed to a file that does not exist: files/md5/x"}
    hub.fail("POST", "*/commit/*", status=400, headers=late)
    ready().dvc("push")
    assert commits() == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "names a SOCKS proxy"),
        ("HTTPS_PROXY", "ftp://alice:secretword@127.0.0.1:9", "names no proxy of use"),
        ("SSL_CERT_FILE", "/nowhere/certificates.pem", "names certificates that cannot be read"),
    ],
)
def test_a_network_that_the_environment_names_wrongly_is_said_in_one_sentence(
    ready, repo: str, variable: str, value: str, said: str
) -> None:
    if "SOCKS" in said and find_spec("socksio"):
        pytest.skip("what speaks with SOCKS proxies is installed")
    result = ready().dvc("push", ok=False, **{variable: value})
    assert f"{variable} {said}" in result.text
    assert "unexpected error" not in result.text
    assert "secretword" not in result.text
