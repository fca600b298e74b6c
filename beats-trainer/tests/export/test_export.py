"""A table written for other programs, and read back by them."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from beats_trainer.table import read_table
from sounds import TINY

NAMES = {
    "npz": "t.npz", "csv": "t.csv", "raven": "t.selections.txt", "audacity": "t.labels",
    "hoplite": "t.hoplite", "atlas": "t.atlas.parquet",
}  # fmt: skip
NOON = dt.datetime(2024, 5, 1, 12)  # noqa: DTZ001 - the clock of a recorder


@pytest.fixture
def export(table, tmp_path, beats):
    """Exports the table; returns where to."""

    def run(kind, source=table):
        target = tmp_path / NAMES[kind]
        done = beats("export", source, "--to", kind, "-o", target)
        assert done.exit_code == 0, done.output
        assert done.stdout.strip() == str(target)
        return target

    return run


def test_npz_is_numpy_without_pickle(export, table):
    ours = read_table(table)
    with np.load(export("npz")) as arrays:
        assert np.array_equal(arrays["embedding"], ours.embeddings)
        assert arrays["recording"].tolist() == ours.recordings
        assert arrays["end_s"].tolist() == ours.end_s.tolist()


def test_csv_has_a_column_for_each_number(export, table):
    ours = read_table(table)
    with export("csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(ours)
    numbers = [[float(line[f"e{i}"]) for i in range(ours.embeddings.shape[1])] for line in lines]
    assert np.array_equal(np.array(numbers, np.float32), ours.embeddings)
    assert lines[0]["datetime"].startswith("2024-05-01 00:30:00")


def crowsetta():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("crowsetta")


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")  # crowsetta's, of pandas
def test_raven_selections_are_read_by_crowsetta(export, table):
    ours, raven = read_table(table), crowsetta().formats.bbox.Raven
    boxes = raven.from_file(export("raven"), annot_col="Annotation").to_bbox()
    assert [box.onset for box in boxes] == ours.start_s.tolist()
    assert [box.offset for box in boxes] == ours.end_s.tolist()
    assert {(box.low_freq, box.high_freq, box.label) for box in boxes} == {(0, 8000, "clip")}


def test_raven_selections_name_the_recording(export, table):
    with export("raven").open(newline="") as file:
        selections = list(csv.DictReader(file, delimiter="\t"))
    assert [s["Begin Path"] for s in selections] == read_table(table).recordings


def test_audacity_labels_are_read_by_crowsetta(export, table):
    ours, tracks = read_table(table), export("audacity")
    with (tracks / "recordings.csv").open(newline="") as file:
        names = {line["track"]: line["recording"] for line in csv.DictReader(file)}
    found = []
    for track, recording in sorted(names.items()):
        labels = crowsetta().formats.seq.AudSeq.from_file(tracks / track)
        found += [(recording, s, e) for s, e in zip(labels.start_times, labels.end_times, strict=True)]
    assert found == list(zip(ours.recordings, ours.start_s.tolist(), ours.end_s.tolist(), strict=True))


def test_a_hoplite_database_is_opened_by_perch_hoplite(export, table):
    library = pytest.importorskip("perch_hoplite.db.sqlite_usearch_impl")
    ours = read_table(table)
    database = library.SQLiteUSearchDB.create(str(export("hoplite")), readonly=True)
    windows = database.get_all_windows()
    recordings = {r.id: r for r in database.get_all_recordings()}
    assert database.count_embeddings() == len(ours)
    assert [recordings[w.recording_id].filename for w in windows] == ours.recordings
    assert [tuple(w.offsets) for w in windows] == list(
        zip(ours.start_s.tolist(), ours.end_s.tolist(), strict=True)
    )
    vectors = database.get_embeddings_batch([w.id for w in windows])
    np.testing.assert_allclose(vectors, ours.embeddings, atol=1e-3)  # it keeps float16
    starts = {r.filename.rsplit("/", 1)[-1]: r.datetime for r in recordings.values()}
    assert starts["20240501_033000.wav"] == dt.datetime(2024, 5, 1, 3, 30)  # noqa: DTZ001 - the recorder's clock
    assert database.get_metadata("beats").sha256 == ours.metadata["sha256"]
    found = database.ui.search(ours.embeddings[4], 1)
    assert windows[[w.id for w in windows].index(int(found.keys[0]))].offsets[0] == ours.start_s[4]
    database.db.close()


def test_recorders_that_moved_are_deployments_of_their_own(tmp_path, write_table, export, table):
    library = pytest.importorskip("perch_hoplite.db.sqlite_usearch_impl")
    columns = {
        "device": lambda i: "A" if i < 20 else "B",
        "latitude": lambda i: 1.0 if i < 10 else 2.0,
        "longitude": lambda i: 3.0,
        "datetime": lambda i: NOON + dt.timedelta(seconds=i % 10),
    }
    write_table(tmp_path / "u", 30, columns=columns, settings=read_table(table).metadata | {"dim": 16})
    part = next((tmp_path / "u" / "shard=1").iterdir())
    pq.write_table(pq.read_table(part).slice(5), part)  # a recording need not begin with its first clip
    database = library.SQLiteUSearchDB.create(str(export("hoplite", tmp_path / "u")), readonly=True)
    places = [(d.name, d.latitude, d.longitude) for d in database.get_all_deployments()]
    assert places == [("A", 1.0, 3.0), ("A (2.0, 3.0)", 2.0, 3.0), ("B", 2.0, 3.0)]
    assert {recording.datetime for recording in database.get_all_recordings()} == {NOON}
    database.db.close()


def test_atlas_has_a_point_for_each_row(export, table):
    pandas = pytest.importorskip("pandas")
    target, ours = export("atlas"), read_table(table)
    rows = pandas.read_parquet(target)  # what embedding-atlas itself does with a path
    assert rows["recording"].tolist() == ours.recordings
    assert np.isfinite(rows[["x", "y"]].to_numpy()).all()
    assert rows["x"].std() >= rows["y"].std() > 0
    assert pq.read_schema(target).metadata[b"beats.map"]


def test_atlas_is_opened_by_embedding_atlas(export, tmp_path):
    pytest.importorskip(
        "embedding_atlas.cli", reason="embedding-atlas is not installed: it brings a hundred packages"
    )
    target = export("atlas")
    command = [
        sys.executable,
        "-m",
        "embedding_atlas.cli",
        target,
        "--x",
        "x",
        "--y",
        "y",
        "--text",
        "recording",
    ]
    done = subprocess.run(
        [*map(str, command), "--export-application", tmp_path / "app"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "app" / "index.html").is_file()


@pytest.mark.parametrize("kind", NAMES)
def test_a_table_without_rows_is_written_too(kind, tmp_path, write_table, export, table):
    if kind == "hoplite":
        pytest.importorskip("perch_hoplite")
    write_table(tmp_path / "u", 0, settings=read_table(table).metadata | {"dim": 16})
    assert export(kind, tmp_path / "u").exists()


def test_names_made_by_an_enemy_stay_in_their_cell_and_their_folder(tmp_path, write_table, export, table):
    evil = "../../\tx\n<script>.wav"
    settings = read_table(table).metadata | {"dim": 16}
    write_table(tmp_path / "u", 3, settings=settings)
    part = next((tmp_path / "u" / "shard=1").iterdir())
    rows = pq.read_table(part)
    pq.write_table(
        rows.set_column(0, "recording", [[evil] * 3]).replace_schema_metadata(rows.schema.metadata), part
    )
    lines = export("raven", tmp_path / "u").read_text().splitlines()
    assert {len(line.split("\t")) for line in lines} == {11}
    tracks = export("audacity", tmp_path / "u")
    assert sorted(p.name for p in tracks.iterdir()) == ["00000-_x__script_.txt", "recordings.csv"]


def test_a_checkpoint_is_not_a_table_and_a_table_no_checkpoint(table, tmp_path, beats):
    for source in (TINY, "BEATs_iter3"):
        done = beats("export", source, "--to", "raven", "-o", tmp_path / "x.txt")
        assert done.exit_code == 1
        assert "is not a table" in done.output
        assert "--to onnx, openvino" in done.output
    done = beats("export", table, "--to", "onnx", "-o", tmp_path / "x.onnx")
    assert done.exit_code == 1
    assert "is a table, and onnx is written from a checkpoint" in done.output
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten_by_accident(table, tmp_path, beats, export):
    folder = export("audacity")
    assert beats("export", table, "--to", "audacity", "-o", folder).exit_code == 1
    single = tmp_path / "t.parquet"
    pq.write_table(pq.read_table(next(table.glob("shard=*/*.parquet"))), single)
    done = beats("export", single, "--to", "atlas", "-o", single)
    assert (done.exit_code, "is not overwritten" in done.output) == (1, True)
    assert beats("export", table, "--to", "csv", "-o", tmp_path / "x.txt").exit_code == 1


def test_a_writer_that_fails_leaves_nothing(table, tmp_path, beats, monkeypatch):
    monkeypatch.setitem(sys.modules, "perch_hoplite.db.db_loader", None)
    done = beats("export", table, "--to", "hoplite", "-o", tmp_path / "h")
    assert done.exit_code == 1
    assert "beats-trainer[hoplite]" in done.output
    assert not list(tmp_path.iterdir())


@pytest.fixture
def riddled(table, tmp_path):
    """The table, with a row that is no number, as another program may write it."""
    import pyarrow as pa

    rows = pq.read_table(sorted(table.glob("shard=*/*.parquet"))[0])
    vectors = np.stack(rows["embedding"].to_pylist())
    vectors[1, 3], vectors[2, 0] = np.nan, np.inf
    kind = rows.schema.field("embedding").type
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), kind.list_size)
    at = rows.schema.get_field_index("embedding")
    path = tmp_path / "riddled.parquet"
    pq.write_table(rows.set_column(at, rows.schema.field("embedding"), column), path)
    return path, len(rows)


@pytest.mark.parametrize("kind", ["npz", "csv", "atlas", "hoplite"])
def test_rows_that_are_no_numbers_are_left_out_and_counted(export, riddled, caplog, kind):
    if kind == "hoplite":
        pytest.importorskip("perch_hoplite")
    path, rows = riddled
    target = export(kind, path)
    assert [record.message for record in caplog.records if "left out" in record.message] == [
        "2 rows are left out: their embeddings hold NaN or infinity"
    ]
    if kind == "npz":
        with np.load(target) as arrays:
            assert len(arrays["embedding"]) == rows - 2
            assert np.isfinite(arrays["embedding"]).all()
    if kind == "csv":
        assert len(target.read_text().splitlines()) == rows - 2 + 1


def test_rows_that_are_no_numbers_are_never_found_and_never_on_a_page(riddled, tmp_path, beats):
    from beats_trainer.search.nearest import search

    path, rows = riddled
    query = read_table(path).embeddings[0]
    matches = search(path, query, top=rows)
    assert len(matches) == rows - 2
    assert np.isfinite([match.cosine for match in matches]).all()
    done = beats("report", path, "-o", tmp_path / "r.html", "--map", "pca", "--clips", "1")
    assert done.exit_code == 0, done.output
    assert "NaN" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def by_channel(tmp_path, record, beats):
    """A table with a row a channel, of a place without a recorder's name."""
    folder = tmp_path / "rec"
    record("rec/20191231T133000+1000_REC_-10.5000+150.2500.wav", 4, channels=2)
    done = beats(
        "embed", folder, "-o", tmp_path / "each", "--model", TINY, "--clip-s", "2", "--channels", "each"
    )
    assert done.exit_code == 0, done.output
    return tmp_path / "each"


def test_the_channel_stands_in_every_export_and_in_the_search(tmp_path, record, beats, export):
    each = by_channel(tmp_path, record, beats)
    with np.load(export("npz", each)) as arrays:
        assert sorted(arrays["channel"]) == [0, 0, 1, 1]
    labels = "".join(p.read_text() for p in export("audacity", each).glob("*.txt"))
    assert (labels.count("clip, channel 0"), labels.count("clip, channel 1")) == (2, 2)
    query = next((tmp_path / "rec").iterdir())
    found = beats("search", each, query, "--model", TINY, "--top", "4")
    head = found.stdout.splitlines()[0].split()
    assert head == ["cosine", "start_s", "end_s", "channel", "datetime", "recording"]


def test_hoplite_takes_a_row_a_channel_and_a_place_without_a_name(tmp_path, record, beats, export):
    import sqlite3

    pytest.importorskip("perch_hoplite")
    each = by_channel(tmp_path, record, beats)
    with sqlite3.connect(export("hoplite", each) / "hoplite.sqlite") as database:
        windows = database.execute("select channel from windows").fetchall()
        places = database.execute("select latitude, longitude from deployments").fetchall()
    assert sorted(windows) == [(0,), (0,), (1,), (1,)]
    assert places == [(-10.5, 150.25)]
