"""A table searched, and written for other programs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from beats_trainer.cli import main
from beats_trainer.table import read
from click.testing import CliRunner
from sounds import TINY


def beats(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def table(record, tmp_path):
    for i in range(4):
        record(f"sounds/{i}.wav", 2 + i, seed=i)
    out = tmp_path / "t"
    done = beats("embed", tmp_path / "sounds", "-o", out, "--model", TINY, "--clip-s", 2, "--json")
    assert done.exit_code == 0, done.output
    return out


def test_a_recording_of_the_table_is_its_own_nearest(table, tmp_path):
    done = beats("search", table, tmp_path / "sounds" / "0.wav", "--model", TINY, "--top", 3, "--json")
    assert done.exit_code == 0, done.output
    matches = json.loads(done.stdout)
    assert matches[0]["recording"].endswith("/0.wav")
    assert matches[0]["cosine"] == pytest.approx(1, abs=1e-5)
    assert [m["cosine"] for m in matches] == sorted((m["cosine"] for m in matches), reverse=True)
    assert len(matches) == 3


def test_a_search_with_another_checkpoint_is_refused(table, tmp_path):
    other = TINY.with_name("beats_encoder_iter1.pt")
    done = beats("search", table, tmp_path / "sounds" / "0.wav", "--model", other)
    assert done.exit_code == 1
    assert "is not the checkpoint of the table" in done.output


def test_what_is_written_for_other_programs_reads_back(table, tmp_path):
    ours = read(table)
    for kind, name in (("npz", "t.npz"), ("csv", "t.csv"), ("raven", "t.txt"), ("audacity", "labels")):
        assert beats("convert", table, tmp_path / name, "--to", kind).exit_code == 0
    with np.load(tmp_path / "t.npz") as arrays:
        assert np.array_equal(arrays["embedding"], ours.embeddings)
        assert arrays["recording"].tolist() == ours.recordings
    with (tmp_path / "t.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert float(lines[1]["e0"]) == pytest.approx(float(ours.embeddings[1, 0]))
    with (tmp_path / "t.txt").open(newline="") as file:
        selections = list(csv.DictReader(file, delimiter="\t"))
    assert [float(s["End Time (s)"]) for s in selections] == ours.end_s.tolist()
    assert [s["Begin Path"] for s in selections] == ours.recordings
    tracks = sorted(Path(tmp_path / "labels").iterdir())
    times = [line.split("\t")[:2] for track in tracks for line in track.read_text().splitlines()]
    assert [float(start) for start, _ in times] == ours.start_s.tolist()
