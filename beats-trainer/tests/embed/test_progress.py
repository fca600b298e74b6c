"""What is said while a run goes on and when it ends: to a caller, to a person, to a program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from copy import copy

import pytest
from beats_trainer.cli.output import Display
from beats_trainer.embed.progress import Progress, clock
from sounds import TINY


def test_a_callback_hears_of_every_step_and_of_the_end(record, run, tmp_path):
    for i in range(3):
        record(f"sounds/{i}.wav", 200, seed=i)
    heard = []
    outcome = run(tmp_path / "t", tmp_path / "sounds", callback=lambda now: heard.append(copy(now)))
    assert len(heard) > 1
    assert [now.clips for now in heard] == sorted(now.clips for now in heard)
    assert (heard[-1].recordings_done, heard[-1].clips) == (3, 600)
    assert heard[0].left_s > 0
    assert heard[-1].left_s == 0
    assert outcome.progress.audio_s == 600


def test_nothing_is_said_of_the_time_left_before_something_is_done():
    progress = Progress(recordings=2, bytes=100)
    assert progress.left_s is None
    assert " left" not in str(progress)


def test_the_line_says_how_far_how_fast_and_how_long(monkeypatch):
    progress = Progress(recordings=2_000, bytes=100, recordings_done=1_000, bytes_done=25, clips=4_000)
    progress.audio_s = 40_000.0
    monkeypatch.setattr(type(progress), "elapsed_s", 100.0)
    expected = "1,000/2,000 recordings, 4,000 clips, 40.0 clips/s, 400 x real time, 0:05:00 left"
    assert str(progress) == expected
    assert clock(3723.4) == "1:02:03"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_line_changes_in_place_on_a_terminal_and_follows_the_last_elsewhere(
    terminal, monkeypatch, capsys
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    display = Display()
    display._pause_s = 0.0
    for done in (1, 2):
        display(Progress(recordings=2, bytes=0, recordings_done=done))
    display.close()
    said = capsys.readouterr().err
    assert said.count("\r") == (2 if terminal else 0)
    assert re.search(r"1/2 recordings.*2/2 recordings.*\n$", said, re.DOTALL)


@pytest.mark.slow
def test_the_summary_is_json_on_stdout_and_what_failed_is_on_stderr_with_status_1(record, tmp_path):
    record("sounds/good.wav", 2)
    (tmp_path / "sounds" / "bad.wav").write_text("no sound")
    words = ["embed", "sounds", "-o", "t", "--model", str(TINY), "--clip-s", "1", "--device", "cpu", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "beats_trainer", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    summary = json.loads(done.stdout)
    assert done.returncode == 1
    assert (summary["clips"], summary["audio_s"], summary["embedded"]) == (2, 2.0, 1)
    assert summary["counts"] == {"ok": 1, "undecodable": 1}
    assert [failure["recording"].endswith("bad.wav") for failure in summary["failures"]] == [True]
    assert "not embedded" in done.stderr
    assert "x real time" in done.stderr
