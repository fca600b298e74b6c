"""The table as its readers see it."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.table import read
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
    assert np.allclose(read(tmp_path / "t.parquet").embeddings[0], expected, atol=2e-5)


def test_our_reader_gives_numpy_without_a_copy_and_the_settings(table):
    whole = read(table)
    assert whole.embeddings.shape == (6, whole.metadata["dim"])
    assert whole.embeddings.dtype == np.float32
    single = read(sorted(table.glob("shard=*/*.parquet"))[0])
    assert not single.embeddings.flags.owndata
    assert whole.metadata["checkpoint"] == "tiny"
    assert whole.metadata["resampler"] == "soxr HQ"


def test_plain_pyarrow_polars_and_duckdb_read_the_folder(table):
    ours = read(table).embeddings
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
    assert read(tmp_path / "t", column="embedding_0").embeddings.dtype == np.float16


def test_a_column_that_is_not_there_is_refused(table):
    with pytest.raises(KeyError, match="embedding_3"):
        read(table, column="embedding_3")
    with pytest.raises(FileNotFoundError, match="no table"):
        read(table / "nowhere")
