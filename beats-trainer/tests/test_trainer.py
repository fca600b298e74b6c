"""`BEATsTrainer`: the doors of upstream lead to the same heads, figures and scores as the commands."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import soundfile
import torch
from beats_trainer import BEATsTrainer
from beats_trainer.load import load_model
from beats_trainer.train import TrainSettings
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.evaluate import read_predictions
from beats_trainer.train.split import LeakError
from learning import RATE, call
from sounds import TINY

PAGE = Path(__file__).parents[2] / "docs" / "upstream.md"
LABELS = ("robin", "wren")
SHORT = {"model": TINY, "clip_s": 1.0}


def write_calls(folder, count, first=0):
    paths = []
    for label in LABELS:
        for number in range(first, first + count):
            path = folder / label / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, call(label, 1000 * LABELS.index(label) + number), RATE)
            paths.append(path)
    return paths


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("wav", "bird"), *rows])
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    write_calls(folder / "calls", 12)
    trainer = BEATsTrainer.from_directory(folder / "calls", output=folder / "run", **SHORT)
    return trainer, trainer.train()


def test_a_folder_is_learnt_and_measured(trained):
    trainer, figures = trained
    assert figures == json.loads((trainer.output / "metrics.json").read_text())
    assert trainer.test()["top1"] == figures["test"]["top1"]
    assert trainer.head.labels == LABELS


def test_what_is_predicted_is_what_was_measured(trained):
    trainer, _ = trained
    found = read_predictions(trainer.output / "predictions.parquet")
    predicted = trainer.predict(found.recordings)
    assert [one.recording for one in predicted] == list(found.recordings)
    for one, scores in zip(predicted, found.scores, strict=True):
        assert list(one.scores) == list(LABELS)
        assert list(one.scores.values()) == pytest.approx(scores.tolist(), abs=1e-5)
        assert one.score == max(one.scores.values()) == one.scores[one.label]


def test_new_calls_are_heard_and_come_back_under_the_names_they_were_given(trained, tmp_path, monkeypatch):
    trainer, _ = trained
    write_calls(tmp_path / "new", 3, first=500)
    monkeypatch.setattr(trainer, "output", trainer.output.absolute())
    monkeypatch.chdir(tmp_path)
    names = ["new/wren/500.wav", "new/robin/501.wav", "new/wren/500.wav"]
    predicted = trainer.predict(names)
    assert [one.recording for one in predicted] == names
    assert [one.label for one in predicted] == ["wren", "robin", "wren"]


def test_the_encoder_of_the_head_is_at_hand(trained, tmp_path):
    trainer, _ = trained
    (path, *_) = write_calls(tmp_path / "new", 1)
    assert trainer.get_feature_extractor().extract_from_file(path).shape == (trainer.head.settings.dim,)


def test_folders_of_splits_keep_them(tmp_path):
    sizes = {"train": 8, "val": 4, "test": 4}
    for number, (split, size) in enumerate(sizes.items()):
        write_calls(tmp_path / split, size, first=100 * number)
    trainer = BEATsTrainer.from_split_directories(
        tmp_path / "train",
        tmp_path / "val",
        test_data_dir=tmp_path / "test",
        output=tmp_path / "run",
        **SHORT,
    )
    trainer.train()
    found = read_predictions(tmp_path / "run" / "predictions.parquet")
    assert {split: found.splits.count(split) for split in sizes} == {s: 2 * n for s, n in sizes.items()}
    assert all(f"/{split}/" in name for name, split in zip(found.recordings, found.splits, strict=True))


def test_tables_name_their_columns_and_what_their_paths_are_relative_to(tmp_path):
    paths = write_calls(tmp_path / "sounds", 6)
    rows = [(path.relative_to(tmp_path / "sounds").as_posix(), path.parent.name) for path in paths]
    table = write_csv(tmp_path / "birds.csv", rows)
    columns = {"audio_column": "wav", "label_column": "bird", "data_dir": tmp_path / "sounds"}
    one = BEATsTrainer.from_csv(table, **columns, output=tmp_path / "run", **SHORT)
    assert [x.recording for x in one.labels.annotations] == [path.as_posix() for path in paths]
    parts = [write_csv(tmp_path / f"{i}.csv", rows[i::3]) for i in range(3)]
    split = BEATsTrainer.from_split_csvs(*parts, **columns, **SHORT)
    assert {x.recording: x.split for x in split.labels.annotations} == {
        path.as_posix(): ("train", "val", "test")[i % 3] for i, path in enumerate(paths)
    }
    assert one.train()["labels"] == 2


def test_a_recording_in_two_tables_is_a_leak(tmp_path):
    paths = write_calls(tmp_path, 4)
    rows = [(path.as_posix(), path.parent.name) for path in paths]
    table, other = write_csv(tmp_path / "a.csv", rows), write_csv(tmp_path / "b.csv", rows[:1])
    columns = {"audio_column": "wav", "label_column": "bird"}
    trainer = BEATsTrainer.from_split_csvs(table, other, **columns, output=tmp_path / "run", **SHORT)
    with pytest.raises(LeakError, match="has several"):
        trainer.train()


@pytest.mark.parametrize(
    ("rows", "said"),
    [([("a.wav", "")], "line 2 of .*expected 'wav' and 'bird' in each line"), ([], "it has no line")],
)
def test_a_bad_table_is_named_with_its_line(tmp_path, rows, said):
    table = write_csv(tmp_path / "birds.csv", rows)
    with pytest.raises(LabelsError, match=said):
        BEATsTrainer.from_csv(table, audio_column="wav", label_column="bird")


def test_what_was_not_trained_says_so(tmp_path):
    write_calls(tmp_path / "calls", 1)
    trainer = BEATsTrainer.from_directory(tmp_path / "calls", output=tmp_path / "run")
    with pytest.raises(FileNotFoundError, match=r"Call train\(\) first"):
        trainer.predict(["a.wav"])


def test_a_recording_that_cannot_be_read_is_named_before_anything_is_predicted(trained, tmp_path):
    trainer, _ = trained
    (good, *_), bad = write_calls(tmp_path, 1), tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    with pytest.raises(LabelsError, match=r"bad\.wav cannot be read, so nothing was predicted"):
        trainer.predict([good, bad])


def test_a_split_without_a_test_is_told(tmp_path):
    write_calls(tmp_path / "calls", 8)
    settings = TrainSettings(test=0.0, val=0.25)
    trainer = BEATsTrainer.from_directory(
        tmp_path / "calls", output=tmp_path / "run", settings=settings, **SHORT
    )
    trainer.train()
    with pytest.raises(LabelsError, match="kept no recording for testing"):
        trainer.test()


def test_the_config_of_upstream_is_answered_with_what_to_give(tmp_path):
    write_calls(tmp_path / "calls", 1)
    with pytest.raises(TypeError, match="settings=TrainSettings"):
        BEATsTrainer.from_directory(tmp_path / "calls", config=object())


def test_the_page_for_who_comes_from_upstream_works_as_it_stands(tmp_path, monkeypatch):
    write_calls(tmp_path / "calls", 10)
    soundfile.write(tmp_path / "new.wav", call("robin", 900), RATE)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    # The page takes the default encoder, which has to be fetched; here it is a small one, never trained.
    known = {}
    exec(block.replace('output="runs/first"', f'output="runs/first", model={str(TINY)!r}, clip_s=1'), known)
    assert known["results"]["labels"] == len(LABELS)
    assert (tmp_path / "runs" / "first" / "head.safetensors").is_file()
    for name in re.findall(r"`(from_\w+)\(", PAGE.read_text(encoding="utf-8")):
        assert hasattr(BEATsTrainer, name) or name == "from_esc50"


def test_the_encoder_learns_where_that_is_asked_for_and_predicts_what_was_measured(tmp_path):
    write_calls(tmp_path / "calls", 12)
    settings = TrainSettings(method="finetune", epochs=2, batch=8)
    trainer = BEATsTrainer.from_directory(
        tmp_path / "calls", output=tmp_path / "run", settings=settings, **SHORT
    )
    trainer.train()
    found = read_predictions(tmp_path / "run" / "predictions.parquet")
    predicted = trainer.predict(found.recordings[:4])
    for scores, one in zip(found.scores[:4], predicted, strict=True):
        assert list(one.scores.values()) == pytest.approx(scores.tolist(), abs=1e-5)
    tuned = trainer.get_feature_extractor().model.state_dict()
    given = load_model(TINY, device="cpu").state_dict()
    assert any(not torch.equal(tuned[name], given[name]) for name in given)
