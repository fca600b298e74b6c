"""Every request of a push fails, one at a time: the next push completes, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minihub.testing import Hub

FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "412": {"status": 412},
    "403": {"status": 403},
    "cut": {"cut_after": 0},
    "wrong bytes": {"corrupt": True},
}
REQUESTS_OF_A_PUSH = 17
LONG = bool(os.environ.get("DVC_HF_LONG"))  # `make dvc-faults` takes every step of each walk
ROUNDS = 20 if LONG else 2
MOMENTS_S = [step / 10 for step in range(5, 55)] if LONG else [1.1, 1.6]


@pytest.fixture
def small(make_project: Callable[..., Any], repo: str) -> Any:
    """A published folder with a large file, a small one and a card."""
    project = make_project(publish="checkpoints")
    project.write("checkpoints/a.pt", b"\0a" * 5000)
    project.write("checkpoints/b.pt", b"\0b")
    project.write("checkpoints/README.md", "# Card\n")
    project.dvc("add", "checkpoints")
    project.commit()
    return project


def complete(project: Any, names: Callable[..., set[str]], clone: Path) -> None:
    """The remote has all, shows all, and gives it back."""
    project.dvc("push")
    assert names() == {"a.pt", "b.pt", "README.md"}
    assert "in sync" in project.dvc("status", "--cloud").out
    copy = project.clone(clone)
    copy.dvc("pull")
    assert copy.read("checkpoints/a.pt") == project.read("checkpoints/a.pt")
    assert project.git("status", "--short").out == ""


@pytest.mark.parametrize("fault", FAULTS)
def test_each_request_of_a_push_fails_once_and_the_next_push_completes(
    small, hub: Hub, names, tmp_path, fault: str
) -> None:
    """One project for the walk: before each push all that it sends is new."""
    first_request = list(FAULTS).index(fault)
    for number in range(0 if LONG else first_request, REQUESTS_OF_A_PUSH, 1 if LONG else 8):
        small.write("checkpoints/a.pt", f"\0a{fault}{number}" * 2000)
        small.dvc("add", "checkpoints")
        hub.fail("*", "*", **FAULTS[fault], skip=number)
        first = small.dvc("push", ok=None)
        hub.recover()
        assert first.status == 0 or "ERROR" in first.err
        assert "was not written by DVC" not in small.dvc("push").err
    small.commit()
    complete(small, names, tmp_path / "clone")


def test_a_commit_whose_answer_is_lost_is_not_made_twice(small, hub: Hub, commits, names, tmp_path) -> None:
    hub.fail("POST", "*/commit/*", cut_after=0)
    small.dvc("push")
    assert commits() == 1
    complete(small, names, tmp_path / "clone")


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


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_a_push_that_is_killed_is_completed_by_the_next(small, names, tmp_path, moment_s: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "push"],
        cwd=small.folder,
        env=small.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(moment_s)
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait()
    complete(small, names, tmp_path / "clone")


def test_two_clones_that_push_at_once_both_succeed(small, tmp_path, commits) -> None:
    small.dvc("push")
    clones = [small.clone(tmp_path / f"clone{number}") for number in range(2)]
    for round_ in range(ROUNDS):
        running = []
        for number, clone in enumerate(clones):
            clone.write(f"new{number}{round_}.bin", f"\0{number}{round_}")
            clone.dvc("add", f"new{number}{round_}.bin")
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dvc", "push"],
                    cwd=clone.folder,
                    env=clone.env,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        assert [process.wait() for process in running] == [0, 0]
    assert commits() == 1 + 2 * ROUNDS
    for clone in clones:
        assert "up to date" in clone.dvc("push").out
