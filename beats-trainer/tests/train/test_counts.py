"""Events counted where and when they are, beside the hours that were listened to."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.counts import ScoresFile, count_events, parse_by
from beats_trainer.train.head_file import TrainedHead
from beats_trainer.train.score import score_table
from learning import DIM, SETTINGS, write_clips

MIDNIGHT = datetime.fromisoformat("2024-05-01T23:59:58")


def write_scores(path, rows, *, labels=("robin", "wren"), thresholds=(0.5, 0.5)):
    """Rows of (recording, start_s, scores or None, datetime, site), each of one second."""
    columns = {
        "recording": pa.array([row[0] for row in rows]),
        "start_s": pa.array([float(row[1]) for row in rows]),
        "end_s": pa.array([row[1] + 1.0 for row in rows]),
        "datetime": pa.array([row[3] for row in rows], pa.timestamp("us")),
        "site": pa.array([row[4] for row in rows]),
        "scores": pa.array([row[2] for row in rows], pa.list_(pa.float32(), len(labels))),
    }
    said = {
        b"beats.labels": "\x1f".join(labels).encode(),
        b"beats.thresholds": json.dumps(thresholds).encode(),
    }
    pq.write_table(pa.table(columns).replace_schema_metadata(said), path)
    return path


def night(name, scores, *, site="oak", began=MIDNIGHT, hop=1.0):
    return [
        (name, i * hop, one, began and began + timedelta(seconds=i * hop), site)
        for i, one in enumerate(scores)
    ]


@pytest.fixture
def scores(tmp_path):
    """Two recordings over midnight at one site, one at another of which half has no score."""
    rows = night("a.wav", [[0.9, 0], [0.9, 0], [0.1, 0], [0.8, 0.6]])
    rows += night("b.wav", [[0.1, 0], [0.9, 0], [0.3, 0], [0.1, 0]])
    rows += night("c.wav", [[0.1, 0.9], None, [0.2, 0], None], site="elm", began=None)
    return ScoresFile.read(write_scores(tmp_path / "s.parquet", rows))


def read_lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def told(counts, label):
    return {one.group: (one.events, one.seconds, one.recordings) for one in counts if one.label == label}


def test_events_are_in_the_group_in_which_they_begin_and_silence_is_counted_too(scores):
    counts = count_events(scores, scores.thresholds, ("site", "day"))
    assert told(counts, "robin") == {
        ("elm", ""): (0, 0.0, 0), ("oak", "2024-05-01"): (2, 4.0, 2), ("oak", "2024-05-02"): (1, 1.0, 1)
    }  # fmt: skip
    assert told(counts, "wren") == {
        ("elm", ""): (1, 1.0, 1), ("oak", "2024-05-01"): (0, 0.0, 0), ("oak", "2024-05-02"): (1, 1.0, 1)
    }  # fmt: skip
    efforts = {one.group: (one.effort.seconds, len(one.effort.recordings)) for one in counts}
    assert efforts == {
        ("elm", ""): (2.0, 1),
        ("oak", "2024-05-01"): (4.0, 2),
        ("oak", "2024-05-02"): (4.0, 2),
    }


def test_hours_are_those_of_the_clock_and_one_group_is_all(scores):
    by_hour = told(count_events(scores, scores.thresholds, ("hour",)), "robin")
    assert {group: found[0] for group, found in by_hour.items()} == {("",): 0, ("00",): 1, ("23",): 2}
    (robin, wren) = count_events(scores, scores.thresholds, ())
    assert (robin.events, wren.events, robin.effort.seconds) == (3, 2, 10.0)


def test_a_threshold_of_its_own_is_heeded(scores):
    assert [one.events for one in count_events(scores, (0.85, 0.95), ())] == [2, 0]


def test_clips_that_overlap_and_channels_are_listened_to_once(tmp_path):
    rows = night("a.wav", [[0, 0]] * 7, hop=0.5)
    path = write_scores(tmp_path / "s.parquet", rows + rows[:3])  # as of a second channel
    (robin, _) = count_events(ScoresFile.read(path), (0.5, 0.5), ())
    assert robin.effort.seconds == 4.0


def test_an_event_at_the_end_of_a_recording_is_where_that_was(tmp_path):
    rows = night("a.wav", [[0, 0], [0.9, 0]]) + night("b.wav", [[0, 0.9]], site="elm", began=None)
    found = ScoresFile.read(write_scores(tmp_path / "s.parquet", rows))
    counts = count_events(found, (0.5, 0.5), ("site", "hour"))
    assert [(one.label, one.group) for one in counts if one.events] == [
        ("robin", ("oak", "23")), ("wren", ("elm", ""))
    ]  # fmt: skip


def test_scores_stay_beside_their_clips_however_a_table_is_read(tmp_path):
    """Vectors come as their pages lie, and names a few thousand at a time."""
    vectors = np.random.default_rng(0).standard_normal((5_000, DIM)).astype(np.float32)
    names = [f"{row}.wav" for row in range(5_000)]
    table = write_clips(tmp_path / "t.parquet", vectors, names)
    pq.write_table(pq.read_table(table), table, compression="none", use_dictionary=["recording"])
    head = TrainedHead(
        vectors[:2].copy(), np.zeros(2, np.float32), ("robin", "wren"), "sigmoid", SETTINGS, 12, "probe"
    )
    assert score_table(head, table, tmp_path / "s.parquet") == 5_000
    rows = pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert [row["recording"] for row in rows] == names
    assert np.allclose([row["scores"] for row in rows], head.scores(vectors), atol=1e-6)


def test_a_scored_table_says_its_thresholds_and_its_recorders(tmp_path):
    table = write_clips(tmp_path / "t.parquet", np.ones((3, DIM)), ["a.wav"] * 3, starts=[0, 1, 2])
    head = TrainedHead(
        np.ones((1, DIM), np.float32), np.zeros(1, np.float32), ("robin",), "sigmoid", SETTINGS, 12, "probe",
        thresholds=(0.25,),
    )  # fmt: skip
    score_table(head, table, tmp_path / "s.parquet")
    found = ScoresFile.read(tmp_path / "s.parquet")
    assert (found.labels, found.thresholds) == (("robin",), (0.25,))
    (robin,) = count_events(found, found.thresholds, ("site",))
    assert (robin.group, robin.events, robin.seconds) == ((".",), 1, 3.0)


def test_the_command_writes_a_line_for_each_and_the_precision_of_the_run(scores, tmp_path, beats):
    run = tmp_path / "run"
    run.mkdir()
    labels = {"robin": {"precision": 0.75, "recall": 0.5}, "wren": {"precision": None, "recall": 0.0}}
    (run / "metrics.json").write_text(json.dumps({"test": {"labels": labels}}))
    done = beats("summary", scores.path, "-o", tmp_path / "counts.csv", "--run", run)
    assert done.exit_code == 0, done.output
    lines = read_lines(tmp_path / "counts.csv")
    assert len(lines) == 6
    robin = next(one for one in lines if one["label"] == "robin" and one["day"] == "2024-05-01")
    assert robin["site"] == "oak"
    assert (robin["events"], robin["presence"], robin["recordings_heard"], robin["recordings"]) == (
        "2", "1", "2", "2"
    )  # fmt: skip
    assert float(robin["events_an_hour"]) == pytest.approx(2 / (4 / 3600), rel=1e-3)
    assert (robin["precision"], robin["recall"], robin["threshold"]) == ("0.7500", "0.5000", "0.500000")
    assert next(one for one in lines if one["label"] == "wren")["precision"] == ""
    other = ("--run", run, "--threshold", "0.2", "--by", "")
    assert beats("summary", scores.path, "-o", tmp_path / "c.csv", *other).exit_code == 0
    assert read_lines(tmp_path / "c.csv")[0]["precision"] == ""  # it was measured at another threshold


@pytest.mark.parametrize("by", ["week", "site,site", "site,week"])
def test_a_group_that_is_none_is_refused(by):
    with pytest.raises(LabelsError, match="expected some of site, day, hour, each once"):
        parse_by(by)


def broken(path: Path, kind: str) -> Path:
    if kind == "no parquet":
        path.write_bytes(b"label,score\n")
    elif kind == "a table":
        pq.write_table(pa.table({"recording": ["a"], "start_s": [0.0], "end_s": [1.0]}), path)
    else:
        write_scores(path, night("a.wav", [[0, 0]]), labels=("robin", "wren"))
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({b"beats.labels": b"robin"}), path)
    return path


@pytest.mark.parametrize("kind", ["no parquet", "a table", "other labels"])
def test_what_holds_no_scores_is_refused(tmp_path, beats, kind):
    done = beats("summary", broken(tmp_path / "s.parquet", kind), "-o", tmp_path / "c.csv")
    assert done.exit_code == 1
    assert "holds no scores of clips" in done.output
    assert not (tmp_path / "c.csv").exists()


@pytest.mark.parametrize("said", [b"no", b"{}1", b"[1]", b"[0.5, 7]", b"[0.5, NaN]", b'["a", "b"]', b"3"])
def test_thresholds_that_are_none_are_refused(tmp_path, said):
    path = write_scores(tmp_path / "s.parquet", night("a.wav", [[0, 0]]))
    table = pq.read_table(path)
    metadata = table.schema.metadata | {b"beats.thresholds": said}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(LabelsError, match=r"s\.parquet holds no scores of clips: it.*threshold"):
        ScoresFile.read(path)


def test_without_fitted_thresholds_one_must_be_said(tmp_path, beats):
    path = write_scores(tmp_path / "s.parquet", night("a.wav", [[0, 0]]), thresholds=())
    done = beats("summary", path, "-o", tmp_path / "c.csv")
    assert "Say one, such as --threshold 0.5" in done.output
    assert beats("summary", path, "-o", tmp_path / "c.csv", "--threshold", "2").exit_code == 1
