"""The engine `ray` on a cluster of this machine: the same rows as without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile
from beats_trainer.embed.ray_engine import packed, unpacked
from beats_trainer.table import read_table
from sounds import TINY

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="needs Ray: pip install 'beats-trainer[ray]', then run this file again"
)


def embed(out, sounds, *words):
    """In a process of its own: Ray leaves threads and warnings behind. Returns the summary."""
    command = [sys.executable, "-m", "beats_trainer", "embed", sounds, "-o", out, "--model", TINY, "--json"]
    options = ["--clip-s", 1, "--device", "cpu", *words]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        list(map(str, command + options)), check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode in {0, 1}, done.stderr
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def rows(out):
    table = read_table(out)
    order = np.lexsort((table.start_s, np.array(table.recordings)))
    names = [(table.recordings[i], table.start_s[i], table.end_s[i]) for i in order]
    return names, table.embeddings[order]


def spoil(record, folder):
    """Recordings that are none, cut, with a hole, with zeros at the end, with what is no number."""
    (folder / "broken.wav").write_text("no sound")
    cut = record("sounds/cut.wav", 5, seed=11)
    cut.write_bytes(cut.read_bytes()[:70_000])
    hole = record("sounds/hole.flac", 8, seed=12)
    content = bytearray(hole.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    hole.write_bytes(content)
    zeros = record("sounds/zeros.wav", 5, seed=13)
    zeros.write_bytes(zeros.read_bytes()[:90_000] + bytes(80_000))
    samples = np.random.default_rng(14).standard_normal(32_000).astype(np.float32) / 10
    samples[20_000] = np.nan
    soundfile.write(folder / "nan.wav", samples, 16_000, subtype="FLOAT")


@needs_ray
@pytest.mark.slow
def test_ray_writes_the_rows_and_the_report_of_a_local_run_and_goes_on_with_either(record, tmp_path):
    for i in range(4):
        record(f"sounds/{i}.wav", 1.5 + i, 48_000, 2, seed=i)
    long = record("sounds/long.wav", 40, seed=9)
    spoil(record, tmp_path / "sounds")
    here, there = tmp_path / "here", tmp_path / "there"
    assert embed(here, tmp_path / "sounds")["clips"] > 0
    assert embed(there, long)["clips"] == 40
    summary = embed(there, tmp_path / "sounds", "--engine", "ray", "--workers", 2)
    assert summary["clips"] == len(read_table(here)) - 40
    assert summary["waited_share"] is None
    assert rows(there)[0] == rows(here)[0]
    assert np.allclose(rows(there)[1], rows(here)[1], atol=2e-5)
    reports = [(out / "_beats" / "report.csv").read_text() for out in (here, there)]
    assert reports[0] == reports[1]
    assert embed(there, tmp_path / "sounds")["clips"] == 0


def test_items_come_out_of_a_table_as_they_went_in():
    items = [b"ends with nothing\0\0", np.arange(3), ("a", None)]
    found = unpacked(packed(items))
    assert found[0] == items[0]
    assert np.array_equal(found[1], items[1])
    assert found[2] == items[2]


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_error_says_what_to_install():
    from beats_trainer.embed.ray_engine import start_ray
    from beats_trainer.errors import MissingExtraError

    with pytest.raises(MissingExtraError, match=r"beats-trainer\[ray\]"):
        start_ray()
