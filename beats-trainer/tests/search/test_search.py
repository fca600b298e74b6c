"""The clips nearest to a recording: exactly, and by an index."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from beats_trainer.search import nearest as searching
from beats_trainer.search.index import open_index
from beats_trainer.search.nearest import search
from sounds import TINY


def brute_force(vectors, query, top):
    vectors = vectors.astype(np.float64)
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    return sorted(range(len(vectors)), key=lambda i: (-cosines[i], i))[:top], cosines


def numbers(matches):
    return [int(m.recording.removesuffix(".wav")) * 10 + int(m.start_s) for m in matches]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_exact_search_is_brute_force_over_all_parts(tmp_path, write_table, dtype):
    vectors = write_table(tmp_path / "t", 1_000, 9_000, 7, dtype=dtype)
    for query in np.random.default_rng(1).standard_normal((5, 16)).astype(np.float32):
        expected, cosines = brute_force(vectors, query, 20)
        matches = search(tmp_path / "t", query, 20)
        assert numbers(matches) == expected
        np.testing.assert_allclose([m.cosine for m in matches], cosines[expected], atol=1e-6)


def test_of_equal_rows_the_earlier_comes_first(tmp_path, write_table):
    write_table(tmp_path / "t", 30, 30)
    write_table(tmp_path / "u", 30, 30)
    query = np.ones(16, np.float32)
    for part in (tmp_path / "u" / "shard=1").iterdir():
        part.rename(tmp_path / "t" / "shard=1" / f"x{part.name}")
    matches = numbers(search(tmp_path / "t", query, 10))
    assert matches[::2] == matches[1::2]  # each row is there twice, and neither crowds the other out


def test_of_several_clips_of_a_query_the_nearest_counts(tmp_path, write_table):
    vectors = write_table(tmp_path / "t", 500)
    matches = search(tmp_path / "t", vectors[[400, 7]], 2)
    assert {(n, m.query_clip) for n, m in zip(numbers(matches), matches, strict=True)} == {(400, 0), (7, 1)}


def test_more_than_there_is_gives_all(tmp_path, write_table):
    write_table(tmp_path / "t", 5)
    assert sorted(numbers(search(tmp_path / "t", np.ones(16, np.float32), 10))) == [0, 1, 2, 3, 4]


def test_a_table_without_rows_gives_nothing(tmp_path, write_table):
    write_table(tmp_path / "t", 0)
    assert search(tmp_path / "t", np.ones(16, np.float32)) == []
    assert search(tmp_path / "t", np.ones(16, np.float32), method="index") == []


def test_a_query_of_another_width_is_refused(tmp_path, write_table):
    write_table(tmp_path / "t", 5)
    with pytest.raises(ValueError, match="the query has 8 numbers and embedding of the table 16"):
        search(tmp_path / "t", np.ones(8, np.float32))


def test_an_index_finds_nearly_all_with_the_cosines_of_float16(tmp_path, write_table):
    vectors = write_table(tmp_path / "t", 2_000, 2_000, dtype="float16")
    found = 0
    for query in np.random.default_rng(1).standard_normal((20, 16)).astype(np.float32):
        expected, cosines = brute_force(vectors, query, 10)
        matches = search(tmp_path / "t", query, 10, method="index")
        np.testing.assert_allclose([m.cosine for m in matches], cosines[numbers(matches)], atol=1e-6)
        found += len(set(expected) & set(numbers(matches)))
    assert found >= 190


def test_an_index_is_built_once_and_grows_with_the_table(tmp_path, write_table, monkeypatch):
    vectors = write_table(tmp_path / "t", 300, 300)
    files = sorted((tmp_path / "t" / "shard=1").iterdir())
    first = open_index(tmp_path / "i", files, "embedding", rows_per_volume=300)
    built = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "i" / "embedding").glob("*.usearch")}
    assert len(built) == len(first.volumes) == 2

    more = write_table(tmp_path / "more", 40, seed=9)
    added = next((tmp_path / "more" / "shard=1").iterdir()).rename(
        tmp_path / "t" / "shard=1" / "part-x.parquet"
    )
    again = open_index(tmp_path / "i", [*files, added], "embedding", rows_per_volume=300)

    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "i" / "embedding").glob("*.usearch")}
    assert built.items() <= now.items()
    assert len(now) == 3
    assert again.nearest(more[:1], 1).positions.tolist() == [600]
    assert again.nearest(vectors[450:451], 1).positions.tolist() == [450]


def test_an_index_of_a_table_that_has_changed_is_built_anew(tmp_path, write_table):
    write_table(tmp_path / "t", 300)
    files = sorted((tmp_path / "t" / "shard=1").iterdir())
    open_index(tmp_path / "i", files, "embedding")
    other = write_table(tmp_path / "t", 301, seed=5)
    files[0].unlink()
    files = sorted((tmp_path / "t" / "shard=1").iterdir())
    index = open_index(tmp_path / "i", files, "embedding")
    assert index.nearest(other[17:18], 1).positions.tolist() == [17]
    assert len(list((tmp_path / "i" / "embedding").glob("*.usearch"))) == 1


def test_an_index_is_built_only_when_asked_for_and_asked_above_the_limit(tmp_path, write_table, monkeypatch):
    write_table(tmp_path / "t", 50)
    query = np.ones(16, np.float32)
    monkeypatch.setattr(searching, "EXACT_ROWS", 49)
    exact = search(tmp_path / "t", query, 3)
    assert not (tmp_path / "t" / "_beats" / "search").exists()
    search(tmp_path / "t", query, 3, method="index")
    graph = next((tmp_path / "t" / "_beats" / "search" / "embedding").glob("*.usearch"))
    graph.write_bytes(b"no graph")
    with pytest.raises((RuntimeError, ValueError)):  # it is the index that is asked now
        search(tmp_path / "t", query, 3)
    assert search(tmp_path / "t", query, 3, method="exact") == exact
    monkeypatch.setattr(searching, "EXACT_ROWS", 50)
    assert search(tmp_path / "t", query, 3) == exact


def test_a_table_that_was_moved_keeps_its_index(tmp_path, write_table):
    vectors = write_table(tmp_path / "t", 300)
    query = vectors[7]
    before = search(tmp_path / "t", query, 3, method="index")
    index = next((tmp_path / "t").rglob("*.usearch")).stat().st_ino
    (tmp_path / "t").rename(tmp_path / "u")
    assert search(tmp_path / "u", query, 3, method="index") == before
    assert next((tmp_path / "u").rglob("*.usearch")).stat().st_ino == index


def test_where_no_index_can_be_written_the_message_says_how_to_go_on(tmp_path, write_table):
    write_table(tmp_path / "t", 5)
    (tmp_path / "t" / "_beats").write_text("in the way")
    with pytest.raises(OSError, match="Name a folder that can be written with --index"):
        search(tmp_path / "t", np.ones(16, np.float32), method="index")


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from beats_trainer.search.nearest import search
search(sys.argv[1], np.ones(768, np.float32), method="exact")
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="getrusage also counts what the parent had; /proc is Linux's"
)
def test_memory_does_not_grow_with_the_table(tmp_path, write_table):
    peaks = []
    for name, parts in (("small", 1), ("large", 6)):
        write_table(tmp_path / name, *[4_096] * parts, dim=768, dtype="float16")
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(tmp_path / name)], check=True, capture_output=True, text=True
        )
        peaks.append(int(done.stdout) / 1e3)
    assert peaks[1] - peaks[0] < 20  # MB; the larger table is 38, and 75 as float32


def test_without_usearch_the_message_says_how_to_go_on(tmp_path, write_table, monkeypatch):
    write_table(tmp_path / "t", 5)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ImportError, match=r"beats-trainer\[search\].*--method exact"):
        search(tmp_path / "t", np.ones(16, np.float32), method="index")


@pytest.mark.parametrize("method", ["exact", "index"])
def test_a_recording_of_the_table_is_its_own_nearest(embedded, tmp_path, beats, method):
    table, sounds = embedded
    query = sounds / "recorder1" / "20240501_033000.wav"
    words = ("--model", TINY, "--top", 3, "--json", "--method", method, "--index", tmp_path / "index")
    done = beats("search", table, query, *words)
    assert done.exit_code == 0, done.output
    matches = json.loads(done.stdout)
    assert {m["recording"] for m in matches} == {str(query)}  # 5 s in clips of 2 s are three rows
    assert [m["cosine"] for m in matches] == pytest.approx([1, 1, 1], abs=1e-5)
    assert ("an approximate index is built, once" in done.stderr) == (method == "index")


def test_a_search_with_another_checkpoint_is_refused(embedded, beats):
    table, sounds = embedded
    done = beats("search", table, sounds / "recorder0", "--model", TINY.with_name("beats_encoder_iter1.pt"))
    assert done.exit_code == 1
    assert "is not the checkpoint of the table" in done.output


def test_a_search_with_a_checkpoint_that_is_elsewhere_says_so(embedded, beats):
    table, sounds = embedded
    done = beats("search", table, sounds / "recorder0" / "20240501_003000.wav")
    assert done.exit_code == 1
    assert "Say where it is with --model" in done.output


def test_a_query_without_sound_is_refused(embedded, tmp_path, beats):
    (tmp_path / "q.wav").write_bytes(b"no sound")
    done = beats("search", embedded[0], tmp_path / "q.wav", "--model", TINY)
    assert done.exit_code == 1
    assert "gives no clip to search for" in done.output


def test_a_layer_that_the_table_lacks_is_refused(embedded, beats):
    done = beats("search", embedded[0], "q.wav", "--model", TINY, "--layer", 0)
    assert done.exit_code == 1
    assert "not 0" in done.output
