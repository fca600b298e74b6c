"""Every block of the page on training runs, one after another, in a folder with calls and a recording."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from learning import RATE, call
from sounds import TINY

PAGE = Path(__file__).parents[3] / "docs" / "train.md"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# The page takes the default encoder, which has to be fetched; here it is a small one that was never trained.
ADAPTED = {
    "beats train calls/ ": f"beats train calls/ --model '{TINY}' --clip-s 1 ",
    "day.wav --model runs/first": f"day.wav --encoder '{TINY}' --model runs/first",
    "--method finetune ": "--method finetune --set epochs=2 ",
    '"BEATs_iter3_plus_AS2M"': repr(str(TINY)),
}


def test_every_block_of_the_page_runs(tmp_path):
    for name in ("robin", "wren", "noise"):
        (tmp_path / "calls" / name).mkdir(parents=True)
        for number in range(20):
            sound = call(name, 100 * len(name) + number)
            soundfile.write(tmp_path / "calls" / name / f"{number}.wav", sound, RATE)
    soundfile.write(tmp_path / "day.wav", np.concatenate([call("", 1), call("robin", 2)]), RATE)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = 0
    for language, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if "pip install" in code:
            continue
        for theirs, ours in ADAPTED.items():
            code = code.replace(theirs, ours)
        shell = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*shell, code], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        ran += 1
    assert ran == 6
    assert "robin" in (tmp_path / "found.csv").read_text()
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "first",
        "second",
        "third",
        "tuned",
        "own",
    }
