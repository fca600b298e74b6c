"""Labels and the clips of a table become examples."""

from __future__ import annotations

import numpy as np
import pytest
from beats_trainer.train.annotations import Annotation, Labels, LabelsError
from beats_trainer.train.examples import SILENT, Names, join_labels, read_clips
from learning import DIM, write_clips


@pytest.fixture
def clips(tmp_path):
    """Ten clips of 1 s of one recording."""
    vectors = np.random.default_rng(0).standard_normal((10, DIM))
    return read_clips(write_clips(tmp_path / "t.parquet", vectors, ["card/day.wav"] * 10, starts=range(10)))


def marks(clips, *annotations, exhaustive=False, names=("robin",)):
    """Target and weight of the first label for each clip: 1 heard, 0 not, ? unknown, . nothing said."""
    found = join_labels(clips, Labels(annotations, exhaustive), names=names)
    signs = {(1, 1): "1", (0, 1): "0", (0, 0): "?", (1, 0): "?"}
    return "".join(
        signs.get((round(float(t)), round(float(w), 2)), "." if np.isclose(w, SILENT) else "!")
        for t, w in zip(found.targets[:, 0], found.weights[:, 0], strict=True)
    )


def test_clips_that_hold_enough_are_positive_and_those_only_touched_unknown(clips):
    assert marks(clips, Annotation("day.wav", "robin", 2.0, 4.0)) == "..11......"
    assert marks(clips, Annotation("day.wav", "robin", 2.9, 4.1)) == "..?1?....."
    assert marks(clips, Annotation("day.wav", "robin", 2.7, 4.3)) == "..111....."


def test_an_annotation_is_never_lost(clips):
    assert marks(clips, Annotation("day.wav", "robin", 5.02, 5.05)) == ".....1...."
    assert marks(clips, Annotation("day.wav", "robin", 4.99, 5.01)).count("1") >= 1


def test_the_clip_that_holds_most_is_positive_though_it_holds_little(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((2, DIM))
    apart = read_clips(write_clips(tmp_path / "gaps.parquet", vectors, ["day.wav"] * 2, starts=[0, 5]))
    assert marks(apart, Annotation("day.wav", "robin", 0.9, 5.05)) == "1?"


def test_silence_is_unknown_unless_all_is_annotated(clips):
    heard = Annotation("day.wav", "robin", 2.0, 3.0)
    assert marks(clips, heard) == "..1......."
    assert marks(clips, heard, exhaustive=True) == "0010000000"


def test_a_negative_is_known_and_a_positive_has_the_last_word(clips):
    negative = Annotation("day.wav", "robin", 2.0, 6.0, kind="negative")
    assert marks(clips, negative, Annotation("day.wav", "robin", 3.0, 4.0)) == "..0100...."
    unknown = Annotation("day.wav", "robin", 7.0, 8.0, kind="unknown")
    assert marks(clips, negative, unknown) == "..0000.?.."


def test_a_label_without_times_makes_one_example_of_all_clips(clips):
    found = join_labels(clips, Labels((Annotation("day.wav", "robin"),), exhaustive=True))
    assert (len(found), found.targets.tolist(), found.unit.tolist()) == (1, [[1.0]], [0] * 10)
    assert (found.start_s[0], found.end_s[0]) == (0.0, 10.0)


def test_none_of_the_labels_is_negative_for_each(clips):
    none = Annotation("day.wav", "", kind="negative")
    found = join_labels(clips, Labels((none,)), names=("robin", "wren"))
    assert (found.targets.tolist(), found.weights.tolist()) == ([[0.0, 0.0]], [[1.0, 1.0]])


def test_times_outside_of_the_recording_are_refused(clips):
    with pytest.raises(LabelsError, match="lasts from 12 to 13 s, and its clips end at 10 s"):
        marks(clips, Annotation("day.wav", "robin", 12.0, 13.0))


def test_labels_of_recordings_that_are_not_in_the_table_are_named(clips):
    with pytest.raises(LabelsError, match=r"1 recordings of the labels are not in the table: 'night\.wav'"):
        marks(clips, Annotation("night.wav", "robin", 2.0, 3.0))


def test_a_recording_is_found_by_its_last_folders_and_never_by_guess():
    names = Names(["/card/a/x.wav", "/card/b/x.wav", "/card/a/y.wav", "x.wav/z.wav"])
    assert names.find("a/x.wav") == "/card/a/x.wav"
    assert names.find("/card/b/x.wav") == "/card/b/x.wav"
    assert names.find("/elsewhere/card/a/y.wav") is None
    assert names.find("y.wav") == "/card/a/y.wav"
    assert names.find("/card/a/../b/x.wav") is None
    with pytest.raises(LabelsError, match="the table has 2 that end so"):
        names.find("x.wav")


def test_rows_that_are_no_numbers_are_no_examples(tmp_path):
    vectors = np.ones((3, DIM))
    vectors[1, 3] = np.nan
    found = read_clips(write_clips(tmp_path / "t.parquet", vectors, ["a.wav", "b.wav", "c.wav"]))
    assert found.recordings == ("a.wav", "c.wav")


def test_a_label_without_times_is_said_of_each_clip_where_that_is_asked(tmp_path):
    vectors = np.eye(6, DIM, dtype=np.float32)
    table = write_clips(tmp_path / "t.parquet", vectors, ["a.wav"] * 3 + ["b.wav"] * 3, starts=[0, 1, 2] * 2)
    labels = Labels((Annotation("a.wav", "robin"), Annotation("b.wav", "wren")), exhaustive=True)
    together, each = (join_labels(read_clips(table), labels, weak=weak) for weak in ("bag", "copy"))
    assert (len(together), len(each)) == (2, 6)
    assert each.targets.tolist() == [[1, 0]] * 3 + [[0, 1]] * 3
    assert each.rows.tolist() == together.rows.tolist() == [0, 1, 2, 3, 4, 5]
