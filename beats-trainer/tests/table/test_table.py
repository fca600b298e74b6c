"""The table as its readers see it."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.table import read_table
from beats_trainer.table.rows import number_column, text_column
from beats_trainer.table.settings import settings_of
from sounds import TINY


@pytest.fixture
def table(record, run, tmp_path):
    record("sounds/SITE7_20190726_034500.wav", 4)
    record("sounds/b.wav", 2, channels=2)
    run(tmp_path / "t", tmp_path / "sounds", rows_per_part=2)
    return tmp_path / "t"


def test_rows_are_the_embeddings_of_the_extractor(record, run, tmp_path):
    path = record("a.wav", 1)
    run(tmp_path / "t.parquet", path)
    expected = BEATsFeatureExtractor(TINY, "cpu").extract_from_file(path)
    assert np.allclose(read_table(tmp_path / "t.parquet").embeddings[0], expected, atol=2e-5)


def test_our_reader_gives_numpy_without_a_copy_and_the_settings(table):
    whole = read_table(table)
    assert whole.embeddings.shape == (6, whole.metadata["dim"])
    assert whole.embeddings.dtype == np.float32
    single = read_table(sorted(table.glob("shard=*/*.parquet"))[0])
    assert not single.embeddings.flags.owndata
    assert whole.metadata["checkpoint"] == "tiny"
    assert whole.metadata["resampler"] == "soxr HQ"


def test_plain_pyarrow_polars_and_duckdb_read_the_folder(table):
    ours = read_table(table).embeddings
    arrow = pq.read_table(table)
    assert len(arrow) == 6
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(f"{table}/**/*.parquet", hive_partitioning=True)
    assert np.allclose(np.sort(frame["embedding"].to_numpy(), axis=0), np.sort(ours, axis=0))
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as base:
        found = base.execute(f"select count(*), avg(len(embedding)) from '{table}/**/*.parquet'").fetchone()
    assert found == (6, ours.shape[1])


def test_times_of_recorders_are_in_the_rows(table):
    rows = pq.read_table(table).to_pylist()
    first = next(row for row in rows if "SITE7" in row["recording"] and row["start_s"] == 2)
    assert (str(first["datetime"]), first["utc_offset_min"]) == ("2019-07-26 03:45:02", None)
    assert first["device"] == "SITE7"


def test_each_channel_and_several_layers_and_half_precision(record, run, tmp_path, model):
    path = record("a.wav", 2, channels=3)
    layers = (0, model.n_layers)
    run(tmp_path / "t", path, settings={"channels": "each", "layers": layers, "dtype": "float16"})
    rows = pq.read_table(tmp_path / "t")
    assert rows["channel"].to_pylist() == [0, 1, 2, 0, 1, 2]
    assert [n for n in rows.column_names if "embedding" in n] == [f"embedding_{n}" for n in layers]
    assert read_table(tmp_path / "t", column="embedding_0").embeddings.dtype == np.float16


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, None, -2.0], pa.float64()),
        ([None, 3, 0, -7] * 5, pa.int16()),
        ([datetime(2020, 2, 29, 23, 59, 59, 123456), None, datetime(1960, 1, 1)], pa.timestamp("us")),  # noqa: DTZ001
        ([], pa.float64()),
    ],
)
def test_columns_are_what_arrow_itself_would_make(values, kind):
    made = number_column(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


def test_texts_are_what_arrow_itself_would_make():
    for values in ([], ["é", None, "", "long name " * 9], [None] * 17):
        made = text_column(values)
        made.validate(full=True)
        assert made.equals(pa.array(values, pa.string()))


def test_a_part_of_several_row_groups_is_read_without_a_copy(record, run, tmp_path, monkeypatch):
    monkeypatch.setattr("beats_trainer.table.writer.ROWS_PER_GROUP", 2)
    run(tmp_path / "t", record("a.wav", 5))
    (part,) = (tmp_path / "t").glob("shard=*/*.parquet")
    assert pq.ParquetFile(part).num_row_groups == 3
    found = read_table(part)
    assert found.embeddings.shape[0] == 5
    assert not found.embeddings.flags.owndata
    assert found.start_s.tolist() == [0, 1, 2, 3, 4]


def test_a_column_that_is_not_there_is_refused(table):
    with pytest.raises(KeyError, match="embedding_3"):
        read_table(table, column="embedding_3")
    with pytest.raises(FileNotFoundError, match="no table"):
        read_table(table / "nowhere")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, "is no table that can be read"),
        (b"[1, 2]", "is no table that can be read"),
        (b"{", "is no table that can be read"),
        (b"{}", "does not say what made its rows"),
        (b'{"checkpoint": "x"}', "does not say the sha256 and dim and layers"),
    ],
)
def test_what_is_no_table_is_called_that_by_its_name(tmp_path, said, expected):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"no table")
    if said is not None:
        pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({b"beats": said}), path)
    with pytest.raises(ValueError, match=rf"t\.parquet {expected}.*Expected"):
        settings_of(path)
