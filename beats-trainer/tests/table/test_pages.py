"""Numbers that are read as they lie in a Parquet file equal what pyarrow reads, or are left to it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from beats_trainer.table.pages import find_plain_column, widen
from beats_trainer.table.scan import groups_of, stream_vectors

WIDTH = 24


def lists(values):
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def write(path, values, column=None, **options):
    """A table as `beats embed` writes it, unless told otherwise."""
    columns = {"recording": ["a.wav"] * len(values), "embedding": lists(values) if column is None else column}
    settled = {"compression": "none", "use_dictionary": ["recording"]} | options
    pq.write_table(pa.table(columns), path, **settled)


def made(rows, dtype=np.float32, width=WIDTH):
    return np.random.default_rng(0).standard_normal((rows, width)).astype(dtype)


def plain(path, group=0):
    with pq.ParquetFile(path) as file, path.open("rb") as opened:
        return find_plain_column(file, opened, group, "embedding")


def scanned(path):
    return np.concatenate([vectors.copy() for _, vectors in stream_vectors(groups_of(path), "embedding")])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("page", [100, 1_000, 1 << 20])  # bytes: rows end inside pages, and pages inside rows
def test_plain_numbers_are_read_as_they_lie(tmp_path, dtype, page):
    values = made(20_000, dtype)
    write(tmp_path / "t.parquet", values, data_page_size=page, row_group_size=7_000)
    assert plain(tmp_path / "t.parquet", 2) is not None
    np.testing.assert_array_equal(scanned(tmp_path / "t.parquet"), values.astype(np.float32))


def test_what_beats_embed_writes_is_plain(embedded):
    path = next(embedded[0].rglob("*.parquet"))
    assert plain(path) is not None


def test_each_half_widens_to_its_float():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    for halves in (every, finite):
        floats = widen(halves, np.empty(len(halves), np.float32))
        np.testing.assert_array_equal(floats.view(np.uint32), halves.astype(np.float32).view(np.uint32))


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zstd"},
        {"use_dictionary": True},
        {"data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": {"embedding.list.element": "BYTE_STREAM_SPLIT"}},
    ],
    ids=str,
)
def test_other_forms_are_left_to_pyarrow(tmp_path, options):
    values = made(300)
    write(tmp_path / "t.parquet", values, **options)
    assert plain(tmp_path / "t.parquet") is None
    np.testing.assert_array_equal(scanned(tmp_path / "t.parquet"), values)


def test_a_missing_list_or_number_is_left_to_pyarrow(tmp_path):
    values = made(5)
    rows = [*values.tolist()[:2], None, *values.tolist()[3:]]
    write(tmp_path / "row.parquet", values, pa.array(rows, pa.list_(pa.float32(), WIDTH)))
    assert plain(tmp_path / "row.parquet") is None
    rows = values.tolist()
    rows[1][3] = None
    write(tmp_path / "number.parquet", values, pa.array(rows, pa.list_(pa.float32(), WIDTH)))
    assert plain(tmp_path / "number.parquet") is None


def test_a_header_that_is_none_is_left_to_pyarrow(tmp_path):
    path = tmp_path / "t.parquet"
    write(path, made(50))
    whole = path.read_bytes()
    with pq.ParquetFile(path) as file:
        begin = file.metadata.row_group(0).column(1).data_page_offset
    chance = np.random.default_rng(0)
    for at in range(begin, begin + 40):
        for value in chance.integers(256, size=12):
            spoiled = bytearray(whole)
            spoiled[at] = value
            path.write_bytes(spoiled)
            found = plain(path)  # None, or numbers that lie in the file
            assert found is None or all(run.offset + run.size <= len(whole) for run in found.runs)


def test_a_file_that_shrinks_while_it_is_read_says_so(tmp_path):
    path = tmp_path / "t.parquet"
    write(path, made(50_000))
    rows = stream_vectors(groups_of(path), "embedding")
    next(rows)
    path.write_bytes(path.read_bytes()[:1_500_000])
    with pytest.raises(OSError, match=r"t\.parquet ends inside its rows: .* try again when it is whole"):
        list(rows)
