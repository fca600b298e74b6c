"""Labels of every form: what each line means, and what is wrong with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import import_module

import pytest
import soundfile
from beats_trainer.train.annotations import (
    Annotation,
    Labels,
    LabelsError,
    merge_labels,
    read_labels_table,
    write_labels,
)
from beats_trainer.train.formats import read_labels
from sounds import noise

RAVEN = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tSpecies"


@pytest.fixture
def sound(tmp_path):
    """Writes a recording below the folder, and gives its path."""

    def write(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(0.1), 16_000)
        return path

    return write


def said(labels):
    return {
        (one.recording.rpartition("/")[2], one.label, one.start_s, one.end_s, one.kind)
        for one in labels.annotations
    }


def test_folders_are_labels_two_negative_ones_and_none(sound, tmp_path):
    for name in (
        "robin/a.wav",
        "robin,wren/b.wav",
        "-wren/c.wav",
        "Noise/d.wav",
        "robin/deep/e.wav",
        ".x/f.wav",
    ):
        sound(name)
    found = read_labels(tmp_path)
    assert said(found) == {
        ("a.wav", "robin", None, None, "positive"),
        ("b.wav", "robin", None, None, "positive"),
        ("b.wav", "wren", None, None, "positive"),
        ("c.wav", "wren", None, None, "negative"),
        ("d.wav", "", None, None, "negative"),
        ("e.wav", "robin", None, None, "positive"),
    }
    assert found.exhaustive


def test_a_recording_in_no_folder_of_a_label_is_refused(sound, tmp_path):
    sound("robin/a.wav")
    loose = sound("b.wav")
    with pytest.raises(LabelsError, match="lies in no folder that names its label") as refused:
        read_labels(tmp_path)
    assert str(loose) in str(refused.value)


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("recording,start_s,end_s,label,site", "a.wav,1,2.5,robin,north"),
        ("file,start_time,end_time,species,location", "a.wav,1,2.5,robin,north"),
        ("Filename,Begin Time (s),End Time (s),Common_Name,Site", "a.wav,1,2.5,robin,north"),
    ],
)
def test_a_csv_has_obvious_columns(sound, tmp_path, head, line):
    sound("a.wav")
    (tmp_path / "labels.csv").write_text(f"\ufeff{head}\n{line}\n", encoding="utf-8")
    (one,) = read_labels(tmp_path / "labels.csv").annotations
    assert one == Annotation((tmp_path / "a.wav").as_posix(), "robin", 1.0, 2.5, site="north")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.wav,x,2,robin", "start_s is 'x'; expected a number of seconds"),
        ("a.wav,3,2,robin", "lasts from 3.0 to 2.0 s; expected 0 <= start < end"),
        ("a.wav,0,nan,robin", "lasts from 0.0 to nan s"),
        ("a.wav,1,,robin", "lasts from 1.0 to None s; expected 0 <= start < end, or neither"),
        (",1,2,robin", "expected a recording and its label"),
        ("a.wav,1,2,", "expected a recording and its label"),
    ],
)
def test_a_line_of_a_csv_that_says_nothing_is_named(tmp_path, line, said):
    (tmp_path / "labels.csv").write_text(f"recording,start_s,end_s,label\n{line}\n", encoding="utf-8")
    with pytest.raises(LabelsError) as refused:
        read_labels(tmp_path / "labels.csv")
    assert said in str(refused.value)


def test_ravens_views_of_one_selection_count_once_and_offsets_are_of_the_file(tmp_path):
    lines = [
        "1\tWaveform 1\t101\t102\ta.wav\t1\trobin",
        "1\tSpectrogram 1\t101\t102\ta.wav\t1\trobin",
        "2\tSpectrogram 1\t205\t207.5\tb.wav\t5\twren",
    ]
    (tmp_path / "x.selections.txt").write_text("\n".join([RAVEN, *lines]), encoding="utf-8")
    assert said(read_labels(tmp_path / "x.selections.txt")) == {
        ("a.wav", "robin", 1.0, 2.0, "positive"),
        ("b.wav", "wren", 5.0, 7.5, "positive"),
    }


def test_ravens_table_without_a_file_is_of_the_recording_of_its_name(sound, tmp_path):
    sound("day.wav")
    path = tmp_path / "day.Table.1.selections.txt"
    path.write_text("Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n1\t0\t1\trobin\n", encoding="utf-8")
    assert said(read_labels(path)) == {("day.wav", "robin", 0.0, 1.0, "positive")}
    (tmp_path / "day.wav").unlink()
    with pytest.raises(
        LabelsError, match="does not say which recording it is of, and beside it 0 are called 'day'"
    ):
        read_labels(path)


def test_an_audacity_track_is_of_the_recording_of_its_name(sound, tmp_path):
    sound("day.flac")
    (tmp_path / "day.txt").write_text("0.5\t1.5\trobin\n\\\t100\t900\n2\t3\twren\n", encoding="utf-8")
    assert said(read_labels(tmp_path / "day.txt")) == {
        ("day.flac", "robin", 0.5, 1.5, "positive"),
        ("day.flac", "wren", 2.0, 3.0, "positive"),
    }


def test_a_table_of_labels_comes_back_as_it_was(tmp_path):
    kept = Labels(
        (
            Annotation("a.wav", "robin", 0.0, 1.0, site="north", day="2026-05-01"),
            Annotation("b.wav", "", kind="negative"),
        ),
        exhaustive=True,
    )
    write_labels(kept, tmp_path / "labels.parquet")
    assert read_labels_table(tmp_path / "labels.parquet") == kept
    assert merge_labels([kept, kept]) == kept


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\x00not parquet", "is no table of labels"), (b"", "is no table of labels")],
)
def test_what_is_no_table_of_labels_is_refused(tmp_path, content, said):
    (tmp_path / "labels.parquet").write_bytes(content)
    with pytest.raises(LabelsError, match=said):
        read_labels(tmp_path / "labels.parquet")


def test_labels_that_are_positive_nowhere_are_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("recording,label,kind\na.wav,robin,negative\n", encoding="utf-8")
    with pytest.raises(LabelsError, match="no label is positive anywhere"):
        read_labels(tmp_path / "labels.csv")
    with pytest.raises(FileNotFoundError, match="there are no labels at"):
        read_labels(tmp_path / "nowhere.csv")


@pytest.fixture
def hoplite(tmp_path):
    """A database with an annotation of each kind, as perch-hoplite itself writes it."""
    loader = pytest.importorskip("perch_hoplite.db.db_loader", reason="needs pip install perch-hoplite")
    kinds = import_module("perch_hoplite.db.datatypes").LabelType
    database = loader.create_new_usearch_db(str(tmp_path / "hoplite"), 8)
    site = database.insert_deployment("marsh", "birds")
    recording = database.insert_recording("2026/a.wav", deployment_id=site)
    for start, label, kind in ((0.0, "robin", kinds.POSITIVE), (5.0, "robin", kinds.NEGATIVE),
                               (10.0, "wren", kinds.UNCERTAIN)):  # fmt: skip
        database.insert_annotation(recording, [start, start + 5.0], label, kind, "alice")
    database.commit()
    database.db.close()
    return tmp_path / "hoplite"


def test_annotations_of_perch_hoplite_are_read(hoplite):
    found = read_labels(hoplite).annotations
    assert [(one.recording, one.start_s, one.end_s, one.label, one.kind) for one in found] == [
        ("2026/a.wav", 0.0, 5.0, "robin", "positive"),
        ("2026/a.wav", 5.0, 10.0, "robin", "negative"),
        ("2026/a.wav", 10.0, 15.0, "wren", "unknown"),
    ]
    assert {(one.annotator, one.site) for one in found} == {("alice", "marsh")}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE annotations SET label_type = 7 WHERE id = 2",
        "UPDATE annotations SET offsets = x'00' WHERE id = 2",
        "UPDATE annotations SET label = x'ff' WHERE id = 2",
        "UPDATE annotations SET offsets = (SELECT x'000000000000f07f000000000000f07f') WHERE id = 2",
    ],
)
def test_an_annotation_that_is_none_is_named(hoplite, change):
    with closing(sqlite3.connect(hoplite / "hoplite.sqlite")) as database:
        database.execute(change)
        database.commit()
    with pytest.raises(LabelsError, match="the annotation 2 in"):
        read_labels(hoplite)


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3" + bytes(100)])
def test_a_database_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "hoplite.sqlite").write_bytes(content)
    with pytest.raises(LabelsError, match="cannot be read as a database of perch-hoplite"):
        read_labels(tmp_path)
