"""`make demo` runs, says that its weights are untrained, and writes the table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_demo_walks_the_whole_path():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "BEATS_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "scripts/demo.py"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "untrained" in done.stdout
    assert "(768,)" in done.stdout
    assert "Everything is up to date." in done.stdout, "the second push"
    table = pq.read_table(ROOT / "build" / "demo" / "embeddings.parquet")
    assert len(set(table["recording"].to_pylist())) == 15
