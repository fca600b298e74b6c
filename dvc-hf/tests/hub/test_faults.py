"""Every request of a push fails, one at a time: the next push completes, and nothing is lost."""

import os
import time
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import Any

import dvc_hf.hub.repo
import pytest
import yaml
from dvc_hf.commit.repository import Account
from dvc_hf.commit.transaction import transaction
from dvc_hf.filesystem.storage import HubStorage
from dvc_hf.hub.credentials import Credential
from minihub.testing import Hub

FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "412": {"status": 412},
    "403": {"status": 403},
    "timeout": {"delay": 4},
    "late answer": {"answer_delay": 4},
    "cut": {"cut_after": 0},
    "wrong bytes": {"corrupt": True},
}
MODES = {
    "publish": {"publish": "checkpoints"},
    "worktree": {"worktree": "true"},
    "versions": {"version_aware": "true"},
    "bucket": {"publish": "checkpoints"},
}
# Where the Hub shows the folder's files.
SHOWN = {"publish": "", "worktree": "checkpoints/", "versions": "checkpoints/", "bucket": ""}
SILENCE = {"HF_HUB_DOWNLOAD_TIMEOUT": "2"}  # seconds after which a client gives up, but for a commit
LONG = bool(os.environ.get("DVC_HF_LONG"))  # `make dvc-faults` takes every step of each walk, the suite one
SHORT = [
    *(("publish", fault) for fault in FAULTS),
    *((mode, fault) for mode in ("worktree", "versions", "bucket") for fault in ("500", "cut")),
]
WALKS = [(mode, fault) for mode in MODES for fault in FAULTS] if LONG else SHORT
NAMES = {"a.pt", "b.pt", "README.md"}


@pytest.fixture
def make_small(make_project: Callable[..., Any], repo: str) -> Callable[..., Any]:
    """Makes a project whose folder has a large file, a small one and a card."""

    def make(**options: str) -> Any:
        project = make_project(**options)
        project.write("checkpoints/a.pt", b"\0a" * 5000)
        project.write("checkpoints/b.pt", b"\0b")
        project.write("checkpoints/README.md", "# Card\n")
        project.dvc("add", "checkpoints")
        project.commit()
        return project

    return make


@pytest.fixture
def small(make_small: Callable[..., Any]) -> Any:
    return make_small(publish="checkpoints")


def complete(project: Any, names: Callable[..., set[str]], clone: Path) -> None:
    """The remote has all, shows all, and gives it back."""
    project.dvc("push")
    assert names() == NAMES
    assert "in sync" in project.dvc("status", "--cloud").out
    copy = project.clone(clone)
    copy.dvc("pull")
    assert copy.read("checkpoints/a.pt") == project.read("checkpoints/a.pt")
    assert project.git("status", "--short").out == ""


def contents(project: Any) -> dict[str, bytes]:
    return {name: project.read(f"checkpoints/{name}") for name in NAMES}


def change(project: Any, text: str) -> None:
    project.write("checkpoints/a.pt", f"\0a{text}" * 2000)
    project.dvc("add", "checkpoints")


def assert_pin_is_whole(project: Any) -> None:
    """The ``.dvc`` file names the folder's listing, or each of its files."""
    (out,) = yaml.safe_load(project.read("checkpoints.dvc"))["outs"]
    if "files" in out:
        digests = {name: md5(content).hexdigest() for name, content in contents(project).items()}
        assert {entry["relpath"]: entry["md5"] for entry in out["files"]} == digests
    else:
        assert out["md5"].endswith(".dir")
        assert out["nfiles"] == len(NAMES)


def requests_of_a_push(project: Any, hub: Hub) -> list[str]:
    """The paths that an undisturbed push of a change asks for, in their order."""
    project.dvc("push")
    change(project, "first")
    hub.requests.clear()
    project.dvc("push")
    return [record.path for record in hub.requests]


@pytest.mark.parametrize(("mode", "fault"), WALKS)
def test_each_request_of_a_push_fails_once_and_the_next_push_completes(
    make_small, make_remote, hub: Hub, names, tmp_path, mode: str, fault: str
) -> None:
    """One project for the walk: before each push the large file is new."""
    remote = make_remote(mode)
    project = make_small(url=remote.url, **MODES[mode])
    requests = requests_of_a_push(project, hub)
    one = 5 * list(FAULTS).index(fault) % len(requests)
    pushed: set[str] = set()
    for number in range(len(requests)) if LONG else [one]:
        change(project, f"{fault}{number}")
        wanted = contents(project)
        spoiled = hub.fail("*", "*", **_spoiling(fault, requests[number]), skip=number)
        disturbed = project.dvc("push", ok=None, **SILENCE)
        hub.recover()
        assert spoiled.times == 0, f"request {number} of {len(requests)} was not made"
        assert disturbed.status == 0 or "ERROR" in disturbed.err
        assert_pin_is_whole(project)
        assert "was not written by DVC" not in project.dvc("push").err
        assert_pin_is_whole(project)
        there = remote.read_all()
        assert {name: there[SHOWN[mode] + name] for name in NAMES} == wanted
        if mode in ("publish", "bucket"):
            pushed |= {md5(content).hexdigest() for content in wanted.values()}
            objects = {path.removeprefix("files/md5/").replace("/", ""): path for path in there}
            assert {md5(there[objects[oid]]).hexdigest() for oid in pushed} == pushed
    project.commit()
    if mode == "publish":
        complete(project, names, tmp_path / "clone")
    else:  # a bucket's plain names are in what was compared above
        copy = project.clone(tmp_path / "clone")
        copy.dvc("pull")
        assert contents(copy) == contents(project)


def _spoiling(fault: str, path: str) -> dict[str, Any]:
    """The fault for a request; a commit is waited for longer, and the long form outwaits that too."""
    if "/commit/" in path and LONG:
        return {
            name: dvc_hf.hub.repo.WRITTEN_WITHIN_S + 5 if name.endswith("delay") else value
            for name, value in FAULTS[fault].items()
        }
    return FAULTS[fault]


def test_a_commit_whose_answer_is_lost_is_not_made_twice(small, hub: Hub, commits, names, tmp_path) -> None:
    hub.fail("POST", "*/commit/*", cut_after=0)
    small.dvc("push")
    assert commits() == 1
    complete(small, names, tmp_path / "clone")


@pytest.mark.parametrize("files", [1, 3])
def test_a_commit_that_is_made_after_the_client_gave_up_is_not_made_twice(
    hub: Hub, api, repo, commits, monkeypatch, files: int
) -> None:
    monkeypatch.setattr(dvc_hf.hub.repo, "WRITTEN_WITHIN_S", 1.0)
    fs = HubStorage(Account(hub.endpoint, Credential(api.token)))
    hub.fail("POST", "*/commit/*", answer_delay=3)
    with transaction.held():
        for number in range(files):
            fs.pipe_file(f"datasets/{repo}/{number}.txt", b"%d" % number)
    assert commits() == 1
    assert sorted(fs.find(f"datasets/{repo}"))[-1] == f"datasets/{repo}/{files - 1}.txt"


def test_a_hub_that_says_nothing_is_not_waited_for_without_end(small, hub: Hub) -> None:
    hub.fail("*", "*", delay=600, times=None)
    started = time.monotonic()
    result = small.dvc("push", ok=False, HF_HUB_DOWNLOAD_TIMEOUT="1")
    hub.recover()
    assert "no answer from" in result.err
    assert time.monotonic() - started < 120


def test_a_rate_limit_is_waited_out_as_long_as_its_header_says(small, hub: Hub) -> None:
    hub.fail("POST", "*/commit/*", status=429, headers={"RateLimit": '"api";r=0;t=9'})
    started = time.monotonic()
    result = small.dvc("push")
    assert time.monotonic() - started >= 9
    assert "the Hub answered 429; trying again in 10 s" in result.err


def test_a_damaged_download_is_refused_and_not_kept(small, hub: Hub, tmp_path) -> None:
    small.dvc("push")
    clone = small.clone(tmp_path / "clone")
    hub.fail("GET", "*/resolve/*", corrupt=True, times=None)
    result = clone.dvc("pull", ok=False)
    assert "up to date" not in result.out
    hub.recover()
    clone.dvc("pull")
    assert clone.read("checkpoints/a.pt") == small.read("checkpoints/a.pt")


def test_a_file_that_the_hubs_gitignore_hides_is_a_failed_file(small, hub: Hub, api, repo: str) -> None:
    api.upload_file(path_or_fileobj=b"files/\n", path_in_repo=".gitignore", repo_id=repo, repo_type="dataset")
    result = small.dvc("push", ok=False)
    assert "the repository's own .gitignore excludes it" in result.text
