"""A training as a stage of DVC's, on a Hub remote: experiments, figures, a commit, and a clone."""

from __future__ import annotations

import csv
import json
import math
import shutil
import struct
import wave
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi

TINY = Path(__file__).parents[1] / "beats-trainer" / "tests" / "golden" / "tiny"
REPO = "alice/birds"
RATE = 16_000


def write_call(path, hertz, seed):
    """A second of a tone that swells and fades, none like another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for sample in range(RATE):
            swell = math.sin(math.pi * sample / RATE) * 12_000
            tone = math.sin(2 * math.pi * (hertz + 7 * seed) * sample / RATE)
            file.writeframesraw(struct.pack("<h", int(swell * tone)))


@pytest.fixture
def alice(newcomer, hub):
    """Alice's repository with calls that DVC tracks, and a remote on the Hub."""
    alice = newcomer("alice", HF_TOKEN=hub.user("alice"), HF_ENDPOINT=hub.endpoint, HF_HUB_DISABLE_XET="1")
    HfApi(endpoint=hub.endpoint, token=alice.env["HF_TOKEN"]).create_repo(REPO, repo_type="dataset")
    for label, hertz in (("robin", 3000), ("wren", 1000)):
        for number in range(10):
            write_call(alice.folder / "calls" / label / f"{number}.wav", hertz, number)
    shutil.copyfile(TINY / "BEATs_iter3_plus_AS2M.pt", alice.folder / "tiny.pt")
    alice.types("git", "init", "--quiet", "--initial-branch", "main")
    alice.types("dvc", "init", "--quiet")
    alice.types("dvc", "remote", "add", "--default", "hub", f"hf://datasets/{REPO}")
    alice.types("dvc", "add", "--quiet", "calls", "tiny.pt")
    keep(alice)
    return alice


def keep(somebody):
    somebody.types("git", "add", "--all")
    somebody.types("git", "commit", "--quiet", "--message", "a change")


def scores_of(somebody, out):
    somebody.types("beats", "classify", "calls", "--model", "runs/birds", "--encoder", "tiny.pt", "-o", out)
    return [row.as_py() for row in pq.read_table(somebody.folder / out)["scores"]]


@pytest.mark.timeout(600)
def test_experiments_are_run_compared_pushed_in_one_commit_and_used_in_a_clone(alice, hub, tmp_path):
    alice.types("beats", "train", "calls", "-o", "runs/birds", "--model", "tiny.pt", "--clip-s", "1",
                "--set", "val=0.2", "--set", "test=0.2", "--method", "centroid", "--dvc")  # fmt: skip
    keep(alice)
    alice.types("dvc", "repro")
    keep(alice)
    alice.types("dvc", "exp", "run", "--quiet", "-S", "train.method=probe", "--name", "probe")
    shown = json.loads(alice.types("dvc", "exp", "show", "--json").stdout)
    assert "probe" in json.dumps(shown)
    differences = alice.types("dvc", "params", "diff").stdout + alice.types("dvc", "metrics", "diff").stdout
    assert "train.method" in differences
    assert json.loads((alice.folder / "runs/birds/metrics.json").read_text())["method"] == "probe"
    drawn = alice.types("dvc", "plots", "show", "--json").stdout
    assert "robin" in drawn
    keep(alice)
    before = len(list(hub.requests.matching("POST", "*/commit/*")))
    alice.types("dvc", "push")
    assert len(list(hub.requests.matching("POST", "*/commit/*"))) == before + 1
    clone = alice.at(tmp_path / "clone")
    alice.types("git", "clone", "--quiet", ".", str(clone.folder))
    clone.types("dvc", "pull")
    assert scores_of(clone, "there.parquet") == scores_of(alice, "here.parquet")
    assert "up to date" in clone.types("dvc", "status").stdout


def test_a_stage_is_written_once_and_never_over_what_somebody_wrote(alice):
    stage = ("beats", "train", "calls", "-o", "runs/birds", "--model", "tiny.pt", "--dvc")
    alice.types(*stage)
    first = (alice.folder / "dvc.yaml").read_text()
    alice.types(*stage)
    assert (alice.folder / "dvc.yaml").read_text() == first
    other = alice.types(*stage, "--clip-s", "2", fails=True)
    assert "has another stage birds" in other.stderr
    (alice.folder / "dvc.yaml").write_text("# mine\n" + first)
    refused = alice.types(*stage, fails=True)
    assert "has comments, which would be lost" in refused.stderr
    outside = alice.types("beats", "train", "../calls", "-o", "runs/x", "--dvc", fails=True)
    assert "leads out of this folder" in outside.stderr


def test_stages_of_several_runs_stand_side_by_side(alice):
    for name, method in (("one", "probe"), ("two", "finetune")):
        alice.types(
            "beats", "train", "calls", "-o", f"runs/{name}", "--model", "tiny.pt", "--method", method, "--dvc"
        )
    listed = alice.types("dvc", "stage", "list").stdout
    assert "one" in listed
    assert "two" in listed
    text = (alice.folder / "dvc.yaml").read_text()
    assert "runs/two/encoder.safetensors" in text
    assert "persist: true" in text


def test_a_folder_of_noise_is_something_that_a_stage_depends_on(alice):
    stage = ("beats", "train", "calls", "--model", "tiny.pt", "--method", "finetune", "--dvc")
    alice.types(*stage, "-o", "runs/noisy", "--noise", "wind/here")
    assert "- wind/here\n" in (alice.folder / "dvc.yaml").read_text()
    assert "noise: wind/here" in (alice.folder / "params.yaml").read_text()
    outside = alice.types(*stage, "-o", "runs/x", "--noise", "../wind", fails=True)
    assert "../wind leads out of this folder" in outside.stderr


def test_the_plot_has_a_line_for_each_label(alice):
    alice.types("beats", "train", "calls", "-o", "runs/birds", "--model", "tiny.pt", "--clip-s", "1")
    with (alice.folder / "runs/birds/plots/labels.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["robin", "wren"]
