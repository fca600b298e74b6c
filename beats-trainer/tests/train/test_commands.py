"""The commands on made calls: labels, split, train, evaluate, classify, from recordings and from tables."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from beats_trainer.train.evaluate import read_predictions
from beats_trainer.train.split import read_split
from learning import RATE, call
from sounds import TINY


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Twenty clips of each label and of none, in folders named by label; and a run that learnt them."""
    from table_fixtures import run_beats

    folder = tmp_path_factory.mktemp("calls")
    for name in ("robin", "wren", "noise"):
        for number in range(20):
            path = folder / "calls" / name / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, call(name, 100 * len(name) + number), RATE)
    done = run_beats("train", folder / "calls", "-o", folder / "run", "--model", TINY, "--clip-s", 1)
    assert done.exit_code == 0, done.output
    return folder, done


def test_a_folder_becomes_a_head_with_its_figures(calls):
    folder, done = calls
    assert "test: cmAP" in done.output
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["test"]["cmap"] == 1.0
    assert not metrics["leak"]


def test_recordings_are_scored_as_in_training(calls, beats, tmp_path):
    folder, _ = calls
    target = tmp_path / "scores.parquet"
    done = beats("classify", folder / "calls", "--model", folder / "run", "--encoder", TINY, "-o", target)
    assert done.exit_code == 0, done.output
    scored = {row["recording"]: row["scores"] for row in pq.read_table(target).to_pylist()}
    written = read_predictions(folder / "run" / "predictions.parquet")
    for recording, scores in zip(written.recordings, written.scores, strict=True):
        (found,) = [values for name, values in scored.items() if name.endswith(recording)]
        assert np.abs(np.array(found) - scores).max() < 1e-5


def test_calls_are_found_at_their_times(calls, beats, tmp_path):
    folder, _ = calls
    parts = [call(name, 99 + i) for i, name in enumerate(["", "robin", "robin", "", "wren", ""])]
    soundfile.write(tmp_path / "day.wav", np.concatenate(parts), RATE)
    words = ("classify", tmp_path / "day.wav", "--model", folder / "run", "--encoder", TINY, "--events")
    done = beats(*words, "-o", tmp_path / "found.csv")
    assert done.exit_code == 0, done.output
    with (tmp_path / "found.csv").open() as file:
        found = [(row["label"], float(row["start_s"]), float(row["end_s"])) for row in csv.DictReader(file)]
    assert sorted(found) == [("robin", 1.0, 3.0), ("wren", 4.0, 5.0)]
    done = beats(*words, "-o", tmp_path / "found.txt", "--to", "raven")
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "found.txt").read_text().splitlines()
    assert [line.split("\t")[10] for line in lines] == ["Annotation", "robin", "wren"]
    done = beats(*words, "-o", tmp_path / "tracks", "--to", "audacity")
    assert done.exit_code == 0, done.output
    assert len((tmp_path / "tracks" / "00000-day.txt").read_text().splitlines()) == 2
    done = beats(*words, "--json")
    assert [one["label"] for one in json.loads(done.stdout)] == ["robin", "wren"]


def test_labels_a_split_and_a_table_give_the_same_head(calls, beats, tmp_path):
    folder, _ = calls
    labels, split = tmp_path / "labels.parquet", tmp_path / "split.csv"
    assert beats("labels", folder / "calls", "-o", labels).exit_code == 0
    assert beats("split", labels, "-o", split).exit_code == 0
    table = folder / "run" / "table.parquet"
    done = beats("train", labels, "-o", tmp_path / "run", "--table", table, "--split", split, "--json")
    assert done.exit_code == 0, done.output
    head = "head.safetensors"
    assert (tmp_path / "run" / head).read_bytes() == (folder / "run" / head).read_bytes()
    done = beats("evaluate", tmp_path / "run", labels, "--table", table, "-o", tmp_path / "figures", "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "figures" / "metrics.json").read_text())
    dealt = read_split(split)
    assert figures["all"]["units"] == sum(part == "test" for part in dealt.values()) < 60
    assert (
        f"{60 - figures['all']['units']} recordings that the head was learnt from are left out" in done.output
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "x.doc"), "does not say its form"),
        (("--threshold", "high"), "the threshold is 'high'"),
    ],
)
def test_what_cannot_be_done_is_said(calls, beats, tmp_path, words, said):
    folder, _ = calls
    table = folder / "run" / "table.parquet"
    words = [str(tmp_path / word) if word == "x.doc" else word for word in words]
    done = beats("classify", table, "--model", folder / "run", *words)
    assert done.exit_code == 1
    assert said in done.output


def test_an_encoder_that_cannot_be_found_is_asked_for(calls, beats):
    folder, _ = calls
    done = beats("classify", folder / "calls" / "robin", "--model", folder / "run")
    assert done.exit_code == 1
    assert "say where it is, with --encoder PATH" in done.output


def test_another_encoder_is_refused(calls, beats, tmp_path):
    folder, _ = calls
    other = TINY.parent / "beats_encoder_iter1.pt"
    done = beats("classify", folder / "calls" / "robin", "--model", folder / "run", "--encoder", other)
    assert done.exit_code == 1
    assert "was made otherwise than what the head learnt from" in done.output


def test_options_of_a_head_are_not_passed_by_in_silence(calls, beats):
    folder, _ = calls
    done = beats("classify", folder / "calls", "--model", TINY, "--events")
    assert done.exit_code == 1
    assert "--events is for a head that `beats train` wrote" in done.output
    done = beats("classify", folder / "calls", "--model", folder / "run", "--clip-s", 10)
    assert done.exit_code == 1
    assert "--clip-s is for a fine-tuned checkpoint" in done.output


def test_a_recording_that_cannot_be_read_costs_only_itself(calls, beats, tmp_path):
    folder, _ = calls
    shutil.copytree(folder / "calls", tmp_path / "calls")
    (tmp_path / "calls" / "robin" / "broken.wav").write_bytes(b"no sound")
    done = beats("train", tmp_path / "calls", "-o", tmp_path / "run", "--model", TINY, "--clip-s", 1)
    assert done.exit_code == 0, done.output
    assert "not learnt from, because it could not be embedded" in done.output
    assert len(read_predictions(tmp_path / "run" / "predictions.parquet").recordings) == 60


def test_labels_of_recordings_that_are_not_here_are_named(beats, tmp_path):
    (tmp_path / "labels.csv").write_text("recording,label\nnowhere.wav,robin\n", encoding="utf-8")
    done = beats("train", tmp_path / "labels.csv", "-o", tmp_path / "run")
    assert done.exit_code == 1
    assert "the labels name nowhere.wav, and it is not here" in done.output
    assert not (tmp_path / "run").exists()


def test_folds_are_learnt_one_after_another_and_told_together(calls, beats, tmp_path):
    folder, _ = calls
    table = folder / "run" / "table.parquet"
    done = beats("train", folder / "calls", "--table", table, "-o", tmp_path / "run", "--folds", 3)
    assert done.exit_code == 0, done.output
    assert "mean of folds" in done.output
    assert {path.name for path in (tmp_path / "run").glob("fold-*")} == {"fold-1", "fold-2", "fold-3"}
    tried = read_predictions(tmp_path / "run" / "predictions.parquet")
    assert len(set(tried.recordings)) == len(tried.recordings) == 60


@pytest.mark.parametrize(("length", "is_told"), [(0.1, True), (0.4, False)])
def test_annotations_far_shorter_than_a_clip_are_told(calls, beats, tmp_path, length, is_told):
    folder, _ = calls
    rows = [
        (folder / "calls" / name / f"{number}.wav", name, 0.4, 0.4 + length)
        for name in ("robin", "wren")
        for number in range(20)
    ]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("recording", "label", "start_s", "end_s"), *rows])
    done = beats(
        "train", tmp_path / "labels.csv", "--table", folder / "run" / "table.parquet", "-o", tmp_path
    )
    assert done.exit_code == 0, done.output
    told = (
        "half of the annotations last at most 0.1 s, and a clip 1 s: `beats embed --clip-s 0.5 --hop-s 0.25`"
    )
    assert (told in done.stderr) == is_told
