"""The Slurm script of the documentation, run as Slurm would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from beats_trainer.table import read_table
from sounds import TINY

PAGE = Path(__file__).parents[3] / "docs" / "embed.md"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Slurm scripts are for bash")


@pytest.fixture
def script(tmp_path):
    (text,) = re.findall(r"```sh\n(#!/bin/bash\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "embed.slurm"
    path.write_text(text)
    return path


def test_bash_understands_it(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


@pytest.mark.slow
def test_the_tasks_of_an_array_make_one_table(script, record, tmp_path):
    for i in range(4):
        record(f"sounds/{i}.wav", 1.5, seed=i)
    for task in ("1", "2"):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        slurm = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
        words = [tmp_path / "sounds", tmp_path / "t", "--model", TINY, "--clip-s", "1", "--device", "cpu"]
        subprocess.run(
            ["bash", script, *map(str, words)], env=os.environ | slurm | {"PATH": path}, check=True
        )
    names = sorted(Path(name).stem for name in read_table(tmp_path / "t").recordings)
    assert names == ["0", "0", "1", "1", "2", "2", "3", "3"]
