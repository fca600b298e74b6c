"""A published head is used on another machine by its name, and its card says how it was measured."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import pytest
import soundfile
import yaml
from beats_trainer.publish.card import Statement
from beats_trainer.train import TrainSettings, fit
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.publication import write_head_publication
from huggingface_hub import HfApi, ModelCard
from learning import RATE, call, clouds, write_clips
from sounds import TINY


def beats(folder, *words, **variables):
    """In a process and an empty home of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "BEATS_"))}
    home = {"HOME": str(folder), "USERPROFILE": str(folder), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "beats_trainer", *map(str, words)]
    return subprocess.run(
        command, cwd=folder, env=inherited | home | variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def run(tmp_path):
    vectors, recordings, labels = clouds(20, labels=("robin", "a `wren`", "thrush"))
    table = write_clips(tmp_path / "table.parquet", vectors, recordings)
    fit(labels, table, tmp_path / "run")
    return tmp_path / "run"


def test_a_published_head_hears_the_same_elsewhere(hub, tmp_path):
    for label in ("robin", "wren"):
        for number in range(12):
            path = tmp_path / "here" / "calls" / label / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, call(label, number), RATE)
    there = tmp_path / "there"
    there.mkdir()
    soundfile.write(there / "new.wav", call("robin", 77, seconds=3.0), RATE)
    author = {"HF_TOKEN": hub.user("alice"), "HF_ENDPOINT": hub.endpoint}
    trained = beats(tmp_path / "here", "train", "calls", "-o", "runs/birds", "--model", TINY, "--clip-s", 1)
    assert trained.returncode == 0, trained.stderr
    published = beats(
        tmp_path / "here", "publish", "runs/birds", "--to", "alice/birds", "--licence", "mit", **author
    )
    assert published.returncode == 0, published.stderr
    heard = {}
    for place, model in ((tmp_path / "here", "runs/birds"), (there, "alice/birds")):
        done = beats(
            place, "classify", there / "new.wav", "--model", model, "--encoder", TINY, "-o", "found.csv",
            "--threshold", "0.01", HF_ENDPOINT=hub.endpoint,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with (place / "found.csv").open() as file:
            heard[model] = [
                {k: v for k, v in row.items() if k != "recording"} for row in csv.DictReader(file)
            ]
    assert heard["alice/birds"] == heard["runs/birds"] != []
    files = set(HfApi(endpoint=hub.endpoint).list_repo_files("alice/birds"))
    assert files - {".gitattributes"} == {"head.safetensors", "metrics.json", "params.yaml", "README.md"}


def test_the_card_has_figures_in_the_hubs_form_labels_split_and_encoder(run, tmp_path):
    statement = Statement("cc-by-4.0", "", ("ashraq/esc50",), "alice/birds")
    files = write_head_publication(run, tmp_path / "out", statement)
    text = files[-1].read_text(encoding="utf-8")
    metrics = json.loads((run / "metrics.json").read_text())
    result = ModelCard(text).data.eval_results[0]
    assert result.metric_value == round(metrics["test"]["top1"], 4)
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "cc-by-4.0"
    assert front["datasets"] == ["ashraq/esc50"]
    assert {one["dataset"]["split"] for one in front["model-index"][0]["results"]} == {"test", "val"}
    assert "`a 'wren'`, `robin`, `thrush`" in text
    assert f"sha256 `{'ab' * 32}`" in text
    assert "| split by | auto, seed 0 |" in text
    assert "leaks" not in text


def test_a_leak_is_stamped_on_the_card(run, tmp_path):
    vectors, recordings, labels = clouds(20)
    vectors[:] = vectors[:1] + vectors * 0.001
    table = write_clips(
        tmp_path / "alike.parquet", vectors.repeat(2, axis=0), [n for r in recordings for n in (r, f"b/{r}")]
    )
    said = [one for a in labels.annotations for one in (a, type(a)(f"b/{a.recording}", a.label))]
    fit(type(labels)(tuple(said), exhaustive=True), table, tmp_path / "leaky", TrainSettings(allow_leak=True))
    files = write_head_publication(tmp_path / "leaky", tmp_path / "out", Statement("mit"))
    assert "**Its split leaks" in files[-1].read_text()


@pytest.mark.parametrize("name", ["metrics.json", "params.yaml"])
def test_a_run_without_one_of_its_files_is_not_published(run, tmp_path, name):
    (run / name).unlink()
    with pytest.raises(LabelsError, match=f"has no {name}"):
        write_head_publication(run, tmp_path / "out", Statement("mit"))


def test_a_folder_without_a_head_is_not_taken_for_a_checkpoint(hub, tmp_path):
    (tmp_path / "empty").mkdir()
    done = beats(
        tmp_path, "publish", "empty", "--to", "alice/birds", "--licence", "mit", HF_TOKEN=hub.user("alice")
    )
    assert done.returncode == 1
    assert "is a folder without a head" in done.stderr
