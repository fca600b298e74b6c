"""A run from labels and a table to a head: what is written, what is the same everywhere, what is refused."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from beats_trainer.errors import CheckpointError
from beats_trainer.train.annotations import Annotation, Labels, LabelsError
from beats_trainer.train.evaluate import measure, read_predictions
from beats_trainer.train.head_file import load_head, save_head
from beats_trainer.train.run import evaluate, fit
from beats_trainer.train.score import (
    Scored,
    choose_thresholds,
    find_clips,
    find_events,
    score_table,
    scored_clips,
)
from beats_trainer.train.settings import TrainSettings, change_settings, parse_assignments, read_params
from beats_trainer.train.split import LeakError
from learning import SETTINGS, clouds, write_clips
from safetensors import safe_open
from safetensors.torch import load_file, save_file

FILES = {"plots", "head.safetensors", "metrics.json", "params.yaml", "predictions.parquet", "split.csv"}


@pytest.fixture
def made(tmp_path):
    """A table of sixty clips of each of three labels, and their labels."""
    vectors, recordings, labels = clouds(60)
    return write_clips(tmp_path / "t.parquet", vectors, recordings), labels


@pytest.mark.parametrize("method", ["centroid", "probe"])
def test_a_run_is_whole_and_its_scores_are_the_same_wherever_they_are_asked_for(made, tmp_path, method):
    table, labels = made
    fitted = fit(labels, table, tmp_path / "run", TrainSettings(method=method))
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    written = read_predictions(tmp_path / "run" / "predictions.parquet")
    head = load_head(tmp_path / "run" / "head.safetensors")
    assert head.temperature != 1.0
    assert len(head.thresholds) == 3
    by_clip = {clip.recording: clip.scores for clip in scored_clips(head, table)}
    for recording, scores in zip(written.recordings, written.scores, strict=True):
        assert np.abs(by_clip[recording] - scores).max() < 1e-5
    assert score_table(head, table, tmp_path / "scores.parquet") == 180
    kept = pq.read_table(tmp_path / "scores.parquet")
    assert np.abs(kept["scores"][0].as_py() - by_clip[kept["recording"][0].as_py()]).max() < 1e-6
    assert fitted.metrics["test"]["cmap"] > 0.9
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == fitted.metrics


def test_the_figures_are_those_of_the_written_predictions(made, tmp_path):
    table, labels = made
    fitted = fit(labels, table, tmp_path / "run")
    written = read_predictions(tmp_path / "run" / "predictions.parquet")
    assert measure(written.of("test"), fitted.head.thresholds) == fitted.metrics["test"]
    low, high = fitted.metrics["test"]["interval"]["cmap"]
    assert low <= fitted.metrics["test"]["cmap"] <= high


def test_the_same_run_gives_the_same_bytes(made, tmp_path):
    table, labels = made
    for name in ("one", "two"):
        fit(labels, table, tmp_path / name)
    for name in {*FILES, "plots/labels.csv"} - {"plots"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_temperature_and_thresholds_come_from_validation_alone(made, tmp_path):
    table, labels = made
    fitted = fit(labels, table, tmp_path / "run")
    with (tmp_path / "run" / "split.csv").open() as file:
        dealt = {row["recording"]: row["split"] for row in csv.DictReader(file)}
    swapped = {"robin": "wren", "wren": "thrush", "thrush": "robin"}
    wrong = [
        replace(one, label=swapped[one.label]) if dealt[one.recording] == "test" else one
        for one in labels.annotations
    ]
    other = fit(Labels(tuple(wrong), exhaustive=True), table, tmp_path / "other", splits=dealt)
    assert np.array_equal(other.head.weight, fitted.head.weight)
    assert (other.head.temperature, other.head.thresholds) == (
        fitted.head.temperature,
        fitted.head.thresholds,
    )
    assert other.metrics["test"]["cmap"] < 0.6


def test_few_examples_are_learnt_by_centroid_unless_asked_otherwise(tmp_path):
    vectors, recordings, labels = clouds(5, apart=9.0)
    table = write_clips(tmp_path / "t.parquet", vectors, recordings)
    assert fit(labels, table, tmp_path / "a").metrics["method"] == "centroid"
    assert fit(labels, table, tmp_path / "b", TrainSettings(method="probe")).metrics["method"] == "probe"


def test_a_leak_is_refused_and_stamped_into_everything_where_it_is_allowed(made, tmp_path):
    table, labels = made
    leaking = replace(
        labels, annotations=tuple(replace(a, site=f"s{i % 7}") for i, a in enumerate(labels.annotations))
    )
    splits = {one.recording: ("train", "val", "test")[i % 3] for i, one in enumerate(labels.annotations)}
    with pytest.raises(LeakError, match="the site 's0' is in"):
        fit(leaking, table, tmp_path / "run", splits=splits)
    assert not (tmp_path / "run").exists()
    fitted = fit(leaking, table, tmp_path / "run", TrainSettings(allow_leak=True), splits=splits)
    assert fitted.metrics["leak"]
    assert load_head(tmp_path / "run" / "head.safetensors").leak
    assert evaluate(fitted.head, labels, table, tmp_path / "again")["leak"]


def test_a_head_is_measured_on_labels_that_it_never_saw(made, tmp_path):
    table, labels = made
    head = fit(labels, table, tmp_path / "run").head
    vectors, recordings, others = clouds(20)
    fresh = write_clips(tmp_path / "fresh.parquet", vectors, recordings)
    metrics = evaluate(head, others, fresh, tmp_path / "figures")
    assert metrics["all"]["units"] == 60
    assert read_predictions(tmp_path / "figures" / "predictions.parquet").labels == head.labels
    learnt = dict.fromkeys(recordings, "train")
    with pytest.raises(LeakError, match="all 60 recordings of the labels were learnt from"):
        evaluate(head, others, fresh, tmp_path / "figures", splits=learnt)
    learnt[recordings[0]], learnt[recordings[-1]] = "test", "test"
    assert evaluate(head, others, fresh, tmp_path / "figures", splits=learnt)["left_out"] == 58
    unheard = Labels((Annotation(recordings[0], "owl"),))
    with pytest.raises(LabelsError, match="nothing can be measured"):
        evaluate(head, unheard, fresh, tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "cd" * 32}, "sha256 'cdcd"),
        ({"pooling": "max"}, "pooling 'max' instead of 'mean'"),
        ({"normalize": True}, "normalize True instead of False"),
        ({"clip_s": 2.0}, "clip_s 2.0 instead of 1.0"),
        ({"layers": (6,)}, "no layer 12"),
    ],
)
def test_a_table_of_other_settings_is_refused(made, tmp_path, change, said):
    table, labels = made
    head = fit(labels, table, tmp_path / "run").head
    vectors, recordings, _ = clouds(2)
    other = write_clips(tmp_path / "o.parquet", vectors, recordings, settings=replace(SETTINGS, **change))
    with pytest.raises((CheckpointError, LabelsError)) as refused:
        list(scored_clips(head, other))
    assert said in str(refused.value)


def test_another_hop_is_no_other_clip(made, tmp_path):
    table, labels = made
    head = fit(labels, table, tmp_path / "run").head
    vectors, recordings, _ = clouds(2)
    other = write_clips(tmp_path / "o.parquet", vectors, recordings, settings=replace(SETTINGS, hop_s=0.5))
    assert len(list(scored_clips(head, other))) == 6


def rewritten(path, **said):
    """The same head with other words in its header."""
    with safe_open(path, framework="pt") as file:
        words = json.loads(file.metadata()["beats_head"])
    save_file(load_file(path), path, metadata={"beats_head": json.dumps(words | said)})
    return path


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"requires": ["settings", "attention"]}, "requires[1] is 'attention'"),
        ({"bonus": 1}, "bonus is 1; expected no such field"),
        ({"settings": {"mel": 64}}, "settings.mel is 64; expected no such field"),
        ({"labels": ["robin"]}, "its weight is (3, 16)"),
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": None}, "temperature is None"),
        ({"activation": "tanh"}, "activation is 'tanh'"),
        ({"thresholds": [0.5]}, "expected one for each label"),
    ],
)
def test_a_head_that_is_not_understood_is_refused(made, tmp_path, said, field):
    table, labels = made
    fit(labels, table, tmp_path / "run")
    with pytest.raises(CheckpointError) as refused:
        load_head(rewritten(tmp_path / "run" / "head.safetensors", **said))
    assert field in str(refused.value)


def test_a_head_with_numbers_that_are_none_gives_no_scores(made, tmp_path):
    table, labels = made
    head = fit(labels, table, tmp_path / "run").head
    broken = replace(head, weight=np.full_like(head.weight, np.nan))
    save_head(broken, tmp_path / "broken.safetensors")
    with pytest.raises(CheckpointError, match="its numbers are not finite"):
        load_head(tmp_path / "broken.safetensors")
    with pytest.raises(LabelsError, match="are no numbers: the head or its embeddings are damaged"):
        evaluate(broken, labels, table, tmp_path / "x")


def clip(start, *scores, recording="a.wav", channel=None):
    found = None if scores == (None,) else np.array(scores, np.float32)
    return Scored(recording, start, start + 1.0, channel, found)


def test_events_begin_at_the_threshold_and_go_on_to_half_of_it():
    clips = [clip(0, 0.1), clip(1, 0.35), clip(2, 0.7), clip(3, 0.31), clip(4, 0.2), clip(5, 0.9)]
    found = [(e.start_s, e.end_s, round(e.score, 2)) for e in find_events(clips, ("robin",), (0.6,))]
    assert found == [(1.0, 4.0, 0.7), (5.0, 6.0, 0.9)]
    assert [e.start_s for e in find_clips(clips, ("robin",), (0.6,))] == [2, 5]


def test_events_do_not_reach_over_gaps_recordings_channels_or_clips_without_a_score():
    gap = [clip(0, 0.9), clip(3, 0.9)]
    assert len(list(find_events(gap, ("robin",), (0.6,)))) == 2
    recordings = [clip(0, 0.9), clip(1, 0.9, recording="b.wav")]
    assert len(list(find_events(recordings, ("robin",), (0.6,)))) == 2
    channels = [
        clip(0, 0.9, channel=0),
        clip(0, 0.1, channel=1),
        clip(1, 0.9, channel=0),
        clip(1, 0.9, channel=1),
    ]
    found = [(e.channel, e.start_s, e.end_s) for e in find_events(channels, ("robin",), (0.6,))]
    assert sorted(found) == [(0, 0.0, 2.0), (1, 1.0, 2.0)]
    broken = [clip(0, 0.9), clip(1, None), clip(2, 0.9)]
    assert len(list(find_events(broken, ("robin",), (0.6,)))) == 2
    overlapping = [clip(0, 0.9), clip(0.5, 0.9), clip(1.0, 0.9)]
    assert [(e.start_s, e.end_s) for e in find_events(overlapping, ("robin",), (0.6,))] == [(0, 2)]


def test_thresholds_are_fitted_or_said(made, tmp_path):
    table, labels = made
    head = fit(labels, table, tmp_path / "run").head
    assert choose_thresholds(head.thresholds, 3, "best") == head.thresholds
    assert choose_thresholds(head.thresholds, 3, "0.25") == (0.25,) * 3
    with pytest.raises(ValueError, match="the threshold is 'high'; expected best, or a number from 0 to 1"):
        choose_thresholds(head.thresholds, 3, "high")
    with pytest.raises(ValueError, match="learnt without a validation split"):
        choose_thresholds((), 3, "best")


def test_settings_come_from_a_file_and_are_changed_one_by_one(tmp_path):
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({"train": {"method": "probe", "val": 0.2}, "other": 1})
    )
    settings = read_params(tmp_path / "params.yaml")
    assert (settings.method, settings.val, settings.test) == ("probe", 0.2, 0.15)
    changed = change_settings(settings, parse_assignments(["train.strength=0.5", "seed=7"]))
    assert (changed.strength, changed.seed) == (0.5, 7)


@pytest.mark.parametrize(
    ("assigned", "said"),
    [
        ("method=forest", "the setting train.method is 'forest'; expected one of auto, centroid, probe"),
        ("strength=-1", "the setting train.strength is -1; expected a number above 0"),
        ("val=much", "the setting train.val is 'much'; expected a number"),
        ("colour=red", "there is no setting 'colour'"),
        ("probe", "sets nothing: expected KEY=VALUE"),
    ],
)
def test_a_setting_that_there_is_not_is_refused(assigned, said):
    with pytest.raises(LabelsError) as refused:
        change_settings(TrainSettings(), parse_assignments([assigned]))
    assert said in str(refused.value)


def test_a_failed_write_leaves_the_run_before(made, tmp_path, monkeypatch):
    table, labels = made
    fit(labels, table, tmp_path / "run")
    before = (tmp_path / "run" / "head.safetensors").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("beats_trainer.train.head_file.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        fit(labels, table, tmp_path / "run", TrainSettings(seed=5))
    assert (tmp_path / "run" / "head.safetensors").read_bytes() == before


def test_scores_of_a_table_with_a_row_that_is_no_number_are_there_for_the_others(made, tmp_path):
    table, labels = made
    head = fit(labels, table, tmp_path / "run").head
    vectors, recordings, _ = clouds(2)
    vectors[3, 0] = np.inf
    damaged = write_clips(tmp_path / "d.parquet", vectors, recordings)
    assert [one.scores is None for one in scored_clips(head, damaged)] == [False] * 3 + [True] + [False] * 2
    score_table(head, damaged, tmp_path / "s.parquet")
    assert [row is None for row in pq.read_table(tmp_path / "s.parquet")["scores"].to_pylist()].count(
        True
    ) == 1


def test_predictions_of_labels_with_any_letters_come_back(tmp_path, made):
    table, labels = made
    odd = {"robin": 'a,"b"', "wren": "é\t", "thrush": "=1+1"}
    named = replace(
        labels, annotations=tuple(replace(one, label=odd[one.label]) for one in labels.annotations)
    )
    fitted = fit(named, table, tmp_path / "run")
    assert set(read_predictions(tmp_path / "run" / "predictions.parquet").labels) == set(odd.values())
    assert set(load_head(tmp_path / "run" / "head.safetensors").labels) == set(odd.values())
    assert set(fitted.metrics["test"]["labels"]) == set(odd.values())
