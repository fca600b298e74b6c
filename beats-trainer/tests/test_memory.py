from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from beats_trainer.memory import release_weights

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="gives memory back on Linux alone"
)
NUMBERS = 4 * 2**20  # 16 MB


@pytest.fixture
def mapped(tmp_path) -> torch.Tensor:
    torch.save(torch.arange(NUMBERS, dtype=torch.float32), tmp_path / "weights.pt")
    weights = torch.load(tmp_path / "weights.pt", weights_only=True, mmap=True)
    assert weights.sum() > 0  # all of it is read
    return weights


def _resident_file_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))


def test_weights_that_are_released_leave_the_memory_and_are_the_same_when_used_again(mapped):
    before = _resident_file_kb()

    release_weights([mapped])

    assert before - _resident_file_kb() > 12_000
    assert torch.equal(mapped, torch.arange(NUMBERS, dtype=torch.float32))


def test_weights_that_were_changed_keep_the_change(mapped):
    mapped[NUMBERS // 2] = -1.0

    release_weights([mapped])

    assert mapped[NUMBERS // 2] == -1.0
    assert mapped[NUMBERS // 2 + 1] == NUMBERS // 2 + 1
