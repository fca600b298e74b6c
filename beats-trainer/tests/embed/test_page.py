"""The Python of docs/embed.md, run as it stands there, with a small checkpoint under the default's name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from beats_trainer.pins.digest import file_digest
from golden_data import TINY

PAGE = Path(__file__).parents[3] / "docs" / "embed.md"
FILE = TINY / "BEATs_iter3_plus_AS2M.pt"


def pinned(folder: Path) -> Path:
    """A pin that gives the small file the name of the default; it is found by its digest."""
    out = {"path": FILE.name, "size": FILE.stat().st_size, "hash": "md5", "md5": file_digest(FILE, "md5")}
    pin = folder / "default.dvc"
    pin.write_text(yaml.safe_dump({"outs": [out]}), encoding="utf-8")
    return pin


def test_every_block_runs(record, tmp_path):
    for name in ("recordings/one.wav", "recordings/two.flac", "recording.wav", "a.wav", "b.flac"):
        record(name, 6.0)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    code = "\n".join(blocks).replace("layers=[6, -1]", "layers=[1, -1]")  # the small one has no six
    code += (
        "\nassert outcome.failed == [] and len(table) == 2 and one.shape == (64,) and many.shape == (2, 64)"
    )
    names = {"BEATS_PINS": str(pinned(tmp_path)), "BEATS_CHECKPOINTS": str(TINY), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | names, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "the library prints nothing"
    assert "x real time" in done.stdout
    assert {"embeddings", "frames.parquet", "by-mine"} <= {path.name for path in tmp_path.iterdir()}
