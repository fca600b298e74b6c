from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.errors import CheckpointError
from golden_data import TINY

FUZZ = Path(__file__).parents[2] / "fuzz" / "run.py"
COUNT = 200


@pytest.mark.skipif(os.name != "posix", reason="each file is read by a fork, which is POSIX")
def test_damaged_and_malicious_files_are_refused_or_hold_valid_tensors(tmp_path: Path):
    report = tmp_path / "report.json"
    command = [sys.executable, str(FUZZ), "--count", str(COUNT), "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(report.read_text())
    assert (counts["files"], counts["wrong"]) == (COUNT, [])
    assert counts["refused"] > COUNT / 2
    assert counts["loaded"] > 0


DIGESTS = """
import hashlib, sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from run import files
with tempfile.TemporaryDirectory() as folder:
    for kind, suffix, data in files(Path(folder), int(sys.argv[2]), int(sys.argv[3])):
        print(kind, suffix, hashlib.sha256(data).hexdigest())
"""


def made(seed: int, hashing: str) -> list[str]:
    """The files of a seed, by kind and digest, as a process of its own makes them."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, str(FUZZ.parent), str(COUNT), str(seed)],
        env={**os.environ, "PYTHONHASHSEED": hashing},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the fuzzer imports what only POSIX has")
def test_a_seed_gives_the_same_files_in_any_process():
    first = made(7, "1")
    assert len(first) == COUNT
    assert len(set(first)) > 0.9 * COUNT
    assert made(7, "2") == first


def test_a_few_bytes_cannot_stand_for_many_numbers(tmp_path: Path):
    content = torch.load(TINY / "BEATs_iter3_plus_AS2M.pt", weights_only=True)
    content["model"] = {name: torch.zeros(1).half().expand(1 << 30) for name in content["model"]}
    torch.save(content, tmp_path / "spread.pt")

    with pytest.raises(CheckpointError, match=r"its tensors claim [\d,]+ bytes, and the file has [\d,]+\."):
        read_checkpoint(tmp_path / "spread.pt")


def test_a_pickle_that_copies_without_end_is_refused_before_it_is_followed(tmp_path: Path):
    path = tmp_path / "copies.pt"
    path.write_bytes(b"\x80\x02](K\x01K\x02\x86eq\x00\x85q\x01ccollections\nOrderedDict\nq\x02h\x01R.")

    with pytest.raises(CheckpointError, match="OrderedDict with arguments, which would copy them"):
        read_checkpoint(path)
