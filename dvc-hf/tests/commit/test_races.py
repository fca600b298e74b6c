"""Two clones push to one remote at the same time, again and again: both histories are whole."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LONG = bool(os.environ.get("DVC_HF_LONG"))  # `make dvc-faults`
ROUNDS = 20 if LONG else 2


def start_push(project: Any) -> "subprocess.Popen[bytes]":
    """A push that runs beside the test."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "dvc", "push"]
    return subprocess.Popen(command, cwd=project.folder, env=project.env, **quiet)


@pytest.mark.slow
def test_two_clones_that_push_at_once_both_succeed(publishing: Any, tmp_path: Path, commits) -> None:
    publishing.dvc("push")
    publishing.commit()
    clones = [publishing.clone(tmp_path / f"clone{number}") for number in range(2)]
    for round_ in range(ROUNDS):
        for number, clone in enumerate(clones):
            clone.write(f"own{number}.bin", f"\0{number}{round_}")
            clone.dvc("add", f"own{number}.bin")
            clone.commit(f"round {round_}")
        running = [start_push(clone) for clone in clones]
        assert [process.wait() for process in running] == [0, 0]
    assert commits() == 1 + 2 * ROUNDS
    for number, clone in enumerate(clones):
        assert "up to date" in clone.dvc("push").out
        assert_history_is_whole(clone.clone(tmp_path / f"late{number}"), f"own{number}.bin", number)


def assert_history_is_whole(late: Any, name: str, number: int) -> None:
    """Every version that was pushed comes back from the remote."""
    for round_ in reversed(range(ROUNDS)):
        late.dvc("pull")
        assert late.read(name) == f"\0{number}{round_}".encode()
        late.git("checkout", "--quiet", "HEAD~1")
