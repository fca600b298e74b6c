"""Splits by groups, and every kind of leak."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from beats_trainer.train.annotations import Annotation, Labels, LabelsError
from beats_trainer.train.evaluate import read_predictions
from beats_trainer.train.examples import join_labels, read_clips
from beats_trainer.train.folds import cross_validate, make_folds, splits_of
from beats_trainer.train.run import fit
from beats_trainer.train.split import (
    LeakError,
    apply_split,
    count_alike,
    make_split,
    read_split,
    refuse_leaks,
    refuse_unlearnable,
    write_split,
)
from learning import clouds, write_clips


def sited(count=120, sites=8):
    """Labels of recordings at several sites."""
    names = ("robin", "wren")
    return Labels(
        tuple(
            Annotation(f"{i}.wav", names[i % 2], site=f"site{i % sites}", day="2026-05-01")
            for i in range(count)
        ),
        exhaustive=True,
    )


def sides(labels, dealt, field):
    found = {}
    for one in labels.annotations:
        found.setdefault(getattr(one, field), set()).add(dealt[one.recording])
    return found


def test_sites_stay_together_where_there_are_five_or_more():
    labels = sited()
    assert all(len(splits) == 1 for splits in sides(labels, make_split(labels), "site").values())


def test_few_sites_are_split_by_recording_and_labels_keep_their_shares():
    labels = sited(sites=3)
    dealt = make_split(labels)
    assert any(len(splits) > 1 for splits in sides(labels, dealt, "site").values())
    counts = {split: sum(s == split for s in dealt.values()) for split in ("train", "val", "test")}
    assert (counts["val"], counts["test"]) == (18, 18)
    heard = [one.label for one in labels.annotations if dealt[one.recording] == "test"]
    assert heard.count("robin") == pytest.approx(9, abs=1)


def test_the_same_seed_deals_the_same_and_another_another():
    labels = sited(sites=3)
    assert make_split(labels, seed=3) == make_split(labels, seed=3)
    assert make_split(labels, seed=3) != make_split(labels, seed=4)


def test_a_given_split_is_obeyed_and_must_be_whole():
    given = Labels((Annotation("a.wav", "robin", split="train"), Annotation("b.wav", "robin", split="test")))
    assert make_split(given) == {"a.wav": "train", "b.wav": "test"}
    half = Labels((*given.annotations, Annotation("c.wav", "robin")))
    with pytest.raises(LabelsError, match=r"'c\.wav' has none; expected one of train, val, test"):
        make_split(half)
    both = Labels((*given.annotations, Annotation("a.wav", "wren", split="val")))
    with pytest.raises(LeakError, match="has several"):
        make_split(both)
    other = Labels((Annotation("a.wav", "robin", split="holdout"),))
    with pytest.raises(LabelsError, match="has 'holdout'"):
        make_split(other)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"val": 0.6, "test": 0.5}, "expected shares of less than 1 together"),
        ({"by": "day"}, "groups: expected at least 3"),
        ({"by": "site"}, None),
    ],
)
def test_shares_and_groups_that_cannot_be_dealt_are_refused(options, said):
    if said is None:
        assert make_split(sited(), **options)
        return
    with pytest.raises(LabelsError, match=said):
        make_split(sited(), **options)


def test_a_group_that_is_not_known_is_refused():
    with pytest.raises(LabelsError, match="the site of 3 recordings is not known"):
        make_split(Labels(tuple(Annotation(f"{i}.wav", "robin") for i in range(3))), by="site")


def test_a_split_comes_back_from_its_file_and_every_recording_needs_one(tmp_path):
    write_split({"a.wav": "train", "b.wav": "test"}, tmp_path / "split.csv")
    splits = read_split(tmp_path / "split.csv")
    assert splits == {"a.wav": "train", "b.wav": "test"}
    labels = Labels((Annotation("/card/a.wav", "robin"), Annotation("c.wav", "robin")))
    with pytest.raises(LabelsError, match=r"1 recordings of the labels have no split, such as 'c\.wav'"):
        apply_split(labels, splits)
    (tmp_path / "bad.csv").write_text("recording,split\na.wav,train\na.wav,test\n", encoding="utf-8")
    with pytest.raises(LabelsError, match="line 3 of"):
        read_split(tmp_path / "bad.csv")


@pytest.fixture
def examples(tmp_path):
    vectors, recordings, labels = clouds(20)
    labels = apply_split(labels, make_split(labels))
    return join_labels(read_clips(write_clips(tmp_path / "t.parquet", vectors, recordings)), labels)


def test_a_split_by_recording_does_not_leak(examples):
    refuse_leaks(examples)
    assert count_alike(examples) == 0


def leak_recording(examples):
    return replace(examples, recordings=("a.wav",) * len(examples))


def leak_site(examples):
    return replace(examples, sites=tuple(f"site{i % 6}" for i in range(len(examples))))


def leak_sound(examples):
    vectors = examples.vectors.copy()
    vectors[:] = vectors[0]
    return replace(examples, vectors=vectors)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (leak_recording, r"the recording 'a\.wav' is in"),
        (leak_site, "the site 'site0' is in"),
        (leak_sound, "sound equal"),
    ],
)
def test_every_leak_is_named(examples, plant, said):
    with pytest.raises(LeakError, match=said):
        refuse_leaks(plant(examples))


def test_clips_that_sound_nearly_alike_are_counted(examples):
    vectors = examples.vectors.copy()
    train = [i for i, split in enumerate(examples.splits) if split == "train"]
    test = [i for i, split in enumerate(examples.splits) if split == "test"]
    vectors[test[0]] = vectors[train[0]] * 1.01 + 1e-3
    assert count_alike(replace(examples, vectors=vectors)) == 1


def test_a_label_that_is_not_in_training_is_named(examples):
    robin = np.flatnonzero(examples.targets[:, examples.labels.index("robin")])
    splits = tuple("test" if i in robin else split for i, split in enumerate(examples.splits))
    with pytest.raises(LabelsError, match="no example to learn 'robin' from"):
        refuse_unlearnable(replace(examples, splits=splits))


def test_one_label_that_is_heard_everywhere_teaches_nothing(tmp_path):
    vectors, recordings, labels = clouds(10, ("robin",))
    labels = apply_split(labels, make_split(labels))
    examples = join_labels(read_clips(write_clips(tmp_path / "t.parquet", vectors, recordings)), labels)
    with pytest.raises(LabelsError, match="there is one label, 'robin', and it is heard in every example"):
        refuse_unlearnable(examples)


def test_every_recording_is_tried_on_once_and_learnt_from_otherwise(tmp_path):
    vectors, recordings, labels = clouds(30)
    table = write_clips(tmp_path / "t.parquet", vectors, recordings)
    folds = make_folds(labels, 5)
    assert sorted(set(folds.values())) == [1, 2, 3, 4, 5]

    def fit_fold(plain, folder, splits):
        return fit(plain, table, folder, splits=splits)

    found = cross_validate(labels, folds, tmp_path / "run", fit_fold)
    assert found.metrics["folds"] == 5
    assert found.metrics["mean"]["top1"] > 0.9
    assert sorted(read_predictions(tmp_path / "run" / "predictions.parquet").recordings) == sorted(recordings)
    one = json.loads((tmp_path / "run" / "fold-2" / "metrics.json").read_text())
    assert found.metrics["spread"]["top1"] >= 0
    assert one["test"]["top1"] <= 1


def test_the_next_fold_chooses_the_settings_and_the_others_teach():
    folds = {f"{number}.wav": number for number in (1, 2, 3, 4)}
    assert splits_of(folds, 4) == {"1.wav": "val", "2.wav": "train", "3.wav": "train", "4.wav": "test"}


def test_folds_that_the_labels_give_are_obeyed():
    labels = Labels(tuple(Annotation(f"{i}.wav", "robin", split=str(i % 3 + 1)) for i in range(9)))
    assert make_folds(labels, 5) == {f"{i}.wav": i % 3 + 1 for i in range(9)}


@pytest.mark.parametrize(
    ("given", "said"),
    [(("1", "2", ""), "not said"), (("1", "2", "x"), "'x'"), (("1", "2", "1"), "has|have 2 folds")],
)
def test_folds_that_are_none_are_refused(given, said):
    labels = Labels(tuple(Annotation(f"{i}.wav", "robin", split=one) for i, one in enumerate(given)))
    with pytest.raises(LabelsError, match=said):
        make_folds(labels, 5)


def test_sites_stay_in_one_fold():
    labels = sited(sites=8)
    folds = make_folds(labels, 4)
    assert all(len(found) == 1 for found in sides(labels, folds, "site").values())


def test_too_few_groups_for_the_folds_are_refused():
    labels = sited(count=12, sites=5)
    with pytest.raises(LabelsError, match="can be dealt into 5 parts: expected 8"):
        make_folds(labels, 8)


def test_folders_named_by_label_are_no_sites(tmp_path):
    """`beats embed` takes the folder for the site where no recorder says it; of six labels each is one."""
    names = ("robin", "wren", "thrush", "jay", "-robin,wren", "noise")
    vectors, recordings, labels = clouds(20, labels=names)
    said = [replace(one, label=one.label.strip("-").split(",")[0]) for one in labels.annotations]
    said = [replace(one, label="", kind="negative") if one.label == "noise" else one for one in said]
    said = Labels(tuple(said), exhaustive=True)
    sites = [name.rpartition("/")[0] for name in recordings]
    table = write_clips(tmp_path / "t.parquet", vectors, recordings, sites=sites)
    assert fit(said, table, tmp_path / "run").metrics["leak"] is False


def test_sites_of_recorders_that_the_table_knows_are_kept_apart(tmp_path):
    vectors, recordings, labels = clouds(20)
    sites = [f"site{i % 6}" for i in range(len(recordings))]
    table = write_clips(tmp_path / "t.parquet", vectors, recordings, sites=sites)
    fit(labels, table, tmp_path / "run")
    dealt = read_split(tmp_path / "run" / "split.csv")
    found = {}
    for recording, site in zip(recordings, sites, strict=True):
        found.setdefault(site, set()).add(dealt[recording])
    assert all(len(splits) == 1 for splits in found.values())
    by_clip = {recording: "test" if i % 2 else "train" for i, recording in enumerate(recordings)}
    with pytest.raises(LeakError, match="the site 'site"):
        fit(labels, table, tmp_path / "run", splits=by_clip | {recordings[0]: "val", recordings[6]: "train"})
