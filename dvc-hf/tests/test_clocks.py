"""A machine whose clock is wrong by a day, in either direction: nothing that is decided rests on it."""

from pathlib import Path
from typing import Any

import pytest
from contents import noise

SHIFT = """
import time
_true, _true_ns = time.time, time.time_ns
time.time = lambda: _true() + {0}
time.time_ns = lambda: _true_ns() + {0} * 10**9
"""


@pytest.mark.parametrize("hours", [-26, 26])
@pytest.mark.parametrize("through", ["lfs", "xet"])
def test_a_push_and_a_pull_work_though_the_clock_is_wrong(
    make_project: Any, repo: str, tmp_path: Path, hours: int, through: str
) -> None:
    project = make_project()
    if through == "xet":
        del project.env["HF_HUB_DISABLE_XET"]
    clock = tmp_path / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(SHIFT.format(hours * 3600))
    project.write("large.bin", noise(2_000_000))
    project.write("small.txt", "text\n")
    project.dvc("add", "large.bin", "small.txt")
    project.commit()
    project.dvc("push", PYTHONPATH=str(clock))
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull", PYTHONPATH=str(clock))
    assert clone.read("large.bin") == noise(2_000_000)
    assert "in sync" in clone.dvc("status", "-c", PYTHONPATH=str(clock)).text
