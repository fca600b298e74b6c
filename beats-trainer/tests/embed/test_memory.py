"""What stays in memory while the base model runs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from beats_trainer.checkpoint.untrained import write_untrained
from beats_trainer.memory import keep_heap_small, release_code, release_weights, trim
from sounds import TINY

PEAK = """
import sys
from beats_trainer.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end
def number(path, name):
    with open(path) as file:
        return int(next(line for line in file if line.startswith(name)).split()[1])
# Pages of libraries that other processes use at the same moment cannot be given back, and are not ours alone.
print(number("/proc/self/status", "VmHWM") - number("/proc/self/smaps_rollup", "Shared_Clean"))
"""
MOST = 700_000  # kB
GROWN = """
import os
from pathlib import Path
from beats_trainer.memory import Trimming

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

give_back = Trimming(16 << 20)
give_back()
few, pin = [bytearray(5000) for _ in range(600)], bytearray(5000)
before = resident()
del few
give_back()
assert before - resident() < 1 << 20, "given back too soon"
many, other = [bytearray(5000) for _ in range(9000)], bytearray(5000)
before = resident()
many.clear()
give_back()
assert before - resident() > 30 << 20, "not given back"
"""


def test_weights_that_were_given_back_have_the_same_values(tmp_path):
    from beats_trainer.checkpoint.read import read_checkpoint

    mapped = read_checkpoint(TINY).weights
    before = {name: value.clone() for name, value in mapped.items()}
    heap = torch.arange(1 << 20, dtype=torch.float32)
    keep_heap_small()
    release_code()
    release_weights([*mapped.values(), heap])
    trim()
    assert all(torch.equal(before[name], value) for name, value in mapped.items())
    assert np.array_equal(heap.numpy(), np.arange(1 << 20, dtype=np.float32))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at glibc's heap and at /proc")
def test_free_heap_is_given_back_once_it_has_grown_and_not_before():
    done = subprocess.run([sys.executable, "-c", GROWN], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
def test_the_base_model_stays_below_its_limit(record, tmp_path):
    model = write_untrained(tmp_path / "base.pt")
    path = record("stereo.wav", 180, 48_000, 2)
    words = ["embed", path, "-o", tmp_path / "t", "--model", model, "--layer", 0, "--device", "cpu"]
    command = [sys.executable, "-c", PEAK, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout.split()[-1]) < MOST, done.stdout
