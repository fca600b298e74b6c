"""A disk that fills up in the middle of a run: its place is named, and the same command goes on."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys

import pytest
from beats_trainer.atomic import room_for, written_whole
from beats_trainer.table.table import read_table
from sounds import TINY

# In a mount namespace of its own, so that nobody else sees the small disk, and it goes with the process.
TWICE = """
mount -t tmpfs -o size=12k none "$1" || exit 77
"$0" -m beats_trainer embed "$2" --model "$3" --layer 0 -o "$1/t.parquet"
status=$?
mount -o remount,size=50m "$1"
"$0" -m beats_trainer embed "$2" --model "$3" --layer 0 -o "$1/t.parquet" >&2 && cp "$1/t.parquet" "$4"
exit $status
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("unshare"), reason="a small disk of one's own needs unshare"
)
def test_a_full_disk_is_named_and_the_same_command_goes_on(record, tmp_path):
    for seed in range(12):
        record(f"rec/{seed}.wav", 20, seed=seed)
    small, table = tmp_path / "small", tmp_path / "t.parquet"
    small.mkdir()
    arguments = [sys.executable, small, tmp_path / "rec", TINY, table]
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", TWICE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr}")
    assert done.returncode == 1
    assert f"No space left on device: {small / 't.parquet'} cannot be written" in done.stderr
    assert "run the same command again, and it goes on from there" in done.stderr
    assert "Traceback" not in done.stderr
    found = read_table(table)
    assert len(found.recordings) == 24
    assert len(set(zip(found.recordings, found.start_s, strict=True))) == 24


def half(target):
    with written_whole(target) as path:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_a_full_disk_interrupts_is_as_it_was_and_says_so(tmp_path):
    target = tmp_path / "report.html"
    target.write_text("before")
    with pytest.raises(OSError, match=r"report\.html cannot be written\. What was there before is as it was"):
        half(target)
    assert target.read_text() == "before"


def test_other_faults_are_told_as_they_are(tmp_path):
    fault = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="Input/output error") as caught, room_for(tmp_path, "Free some room."):
        raise fault
    assert caught.value is fault
