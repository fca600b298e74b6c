"""The clips nearest to a recording: exactly, and by an index."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from beats_trainer.cli.search import _print
from beats_trainer.search import nearest as searching
from beats_trainer.search.cut_out import save_clips
from beats_trainer.search.filters import Wanted
from beats_trainer.search.index import open_index
from beats_trainer.search.nearest import Match, search
from beats_trainer.train.annotations import Annotation, Labels
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


def where(i):
    """Ten rows a recording, and each recording an hour later, at three sites in turn."""
    return datetime.fromisoformat("2024-05-01T20:00:00") + timedelta(hours=i // 10, seconds=i % 10)


@pytest.fixture
def dated(tmp_path, write_table):
    """400 rows of 40 recordings of an hour each, from 20:00 on; and their vectors."""
    columns = {"datetime": where, "site": lambda i: f"site{i // 10 % 3}"}
    return tmp_path / "t", write_table(tmp_path / "t", 150, 250, columns=columns)


@pytest.mark.parametrize(
    ("wanted", "may"),
    [
        (Wanted(site="site1"), lambda i: i // 10 % 3 == 1),
        (Wanted(since=date(2024, 5, 2)), lambda i: where(i).day >= 2),
        (Wanted(until=date(2024, 5, 1)), lambda i: where(i).day == 1),
        (Wanted(hours=(5, 9)), lambda i: 5 <= where(i).hour <= 9),
        (Wanted(hours=(22, 4)), lambda i: where(i).hour >= 22 or where(i).hour <= 4),
        (Wanted(site="site2", hours=(0, 11)), lambda i: i // 10 % 3 == 2 and where(i).hour <= 11),
    ],
)
def test_only_what_may_be_found_is_found(dated, wanted, may):
    table, vectors = dated
    query = np.random.default_rng(5).standard_normal(16).astype(np.float32)
    expected = [i for i in brute_force(vectors, query, 400)[0] if may(i)]
    assert numbers(search(table, query, 12, wanted=wanted)) == expected[:12]
    assert numbers(search(table, query, 1_000, wanted=wanted)) == expected


def test_one_of_each_recording_or_hour_is_its_best(dated):
    table, vectors = dated
    query = np.random.default_rng(6).standard_normal(16).astype(np.float32)
    seen, expected = set(), []
    for i in brute_force(vectors, query, 400)[0]:
        if i // 10 not in seen:
            seen.add(i // 10)
            expected.append(i)
    assert len(expected) == 40
    for one_per in ("recording", "hour"):  # each recording is an hour of one site here
        assert numbers(search(table, query, 7, wanted=Wanted(one_per=one_per))) == expected[:7]
        assert numbers(search(table, query, 99, wanted=Wanted(one_per=one_per))) == expected


def test_a_row_without_a_time_is_at_no_time(tmp_path, write_table):
    write_table(tmp_path / "t", 30, columns={"datetime": lambda i: where(i) if i < 10 else None})
    query = np.ones(16, np.float32)
    assert sorted(numbers(search(tmp_path / "t", query, 99, wanted=Wanted(hours=(0, 23))))) == list(range(10))
    assert len(search(tmp_path / "t", query, 99, wanted=Wanted(one_per="hour"))) == 3
    assert search(tmp_path / "t", query, wanted=Wanted(site="nowhere")) == []


def test_a_row_that_is_no_number_is_not_the_best_of_its_recording(tmp_path, write_table):
    write_table(tmp_path / "t", 20)
    path = next((tmp_path / "t").rglob("*.parquet"))
    rows = pq.read_table(path)
    lists = rows.column("embedding").combine_chunks().flatten().to_numpy().copy()
    lists[:16] = np.nan
    at = rows.column_names.index("embedding")
    changed = pa.FixedSizeListArray.from_arrays(pa.array(lists), 16)
    pq.write_table(rows.set_column(at, "embedding", changed), path)
    found = search(tmp_path / "t", np.ones(16, np.float32), 5, wanted=Wanted(one_per="recording"))
    assert sorted(match.recording for match in found) == ["0.wav", "1.wav"]
    assert 0 not in numbers(found)


def test_an_index_is_not_asked_for_some_rows_alone(dated):
    with pytest.raises(ValueError, match="knows no sites, times or recordings: expected --method exact"):
        search(dated[0], np.ones(16, np.float32), method="index", wanted=Wanted(site="site1"))


def test_a_stretch_of_a_recording_is_searched_for(embedded, beats):
    table, sounds = embedded
    query = sounds / "recorder1" / "20240501_033000.wav"
    done = beats("search", table, query, "--model", TINY, "--start-s", 2, "--end-s", 4, "--top", 1, "--json")
    (found,) = json.loads(done.stdout)
    assert (found["recording"], found["start_s"]) == (str(query), 2.0)
    assert found["cosine"] == pytest.approx(1, abs=1e-5)
    assert found["datetime"] == "2024-05-01T03:30:02"


def test_several_queries_count_together(embedded, beats):
    table, sounds = embedded
    queries = [sounds / f"recorder{i % 2}" / f"20240501_0{i}3000.wav" for i in (0, 3)]
    done = beats("search", table, *queries, "--model", TINY, "--one-per", "recording", "--top", 2, "--json")
    found = json.loads(done.stdout)
    assert {one["recording"] for one in found} == set(map(str, queries))
    assert [one["cosine"] for one in found] == pytest.approx([1, 1], abs=1e-5)


def test_hits_are_written_and_cut_out(embedded, tmp_path, beats):
    table, sounds = embedded
    query = sounds / "recorder1" / "20240501_033000.wav"
    words = ("search", table, query, "--model", TINY, "--top", 3)
    done = beats(*words, "-o", tmp_path / "hits.csv", "--save-clips", tmp_path / "clips")
    assert done.exit_code == 0, done.output
    assert len((tmp_path / "hits.csv").read_text().splitlines()) == 4
    files = sorted((tmp_path / "clips").iterdir())
    assert [file.name[:10] for file in files] == ["001_1.000_", "002_1.000_", "003_1.000_"]
    start = float(files[1].stem.rpartition("_")[2])
    cut, rate = soundfile.read(files[1], dtype="float32")
    whole, _ = soundfile.read(query, dtype="float32", start=round(start * rate), frames=len(cut))
    assert np.array_equal(cut, whole)
    assert beats(*words, "-o", tmp_path / "hits.txt", "--to", "raven").exit_code == 0
    assert (tmp_path / "hits.txt").read_text().startswith("Selection\t")
    assert "needs a place: expected -o FILE" in beats(*words, "--to", "raven").output


def test_a_hit_whose_recording_is_gone_is_told_and_the_others_are_cut_out(embedded, tmp_path):
    real = Match(0.9, str(embedded[1] / "recorder0" / "20240501_003000.wav"), 0.0, 2.0)
    saved, lost = save_clips([Match(1.0, "../gone/../x.wav", 0.0, 2.0), real], tmp_path / "clips")
    assert saved == 1
    assert "x.wav" in lost[0]
    assert [file.name for file in (tmp_path / "clips").iterdir()] == ["002_0.900_20240501_003000_0.00.wav"]


def test_a_silent_query_is_refused(embedded, tmp_path, beats):
    soundfile.write(tmp_path / "q.wav", np.zeros(32_000, np.float32), 16_000)
    done = beats("search", embedded[0], tmp_path / "q.wav", "--model", TINY)
    assert done.exit_code == 1
    assert "is silent: expected sound to search for" in done.output


@pytest.mark.parametrize("hours", ["5", "5-", "5-30", "-3-4"])
def test_hours_that_are_none_are_refused(embedded, beats, hours):
    done = beats("search", embedded[0], "q.wav", f"--hours={hours}")
    assert done.exit_code != 0
    assert "such as" in done.output


def test_nothing_found_is_said(embedded, beats):
    table, sounds = embedded
    query = sounds / "recorder1" / "20240501_033000.wav"
    done = beats("search", table, query, "--model", TINY, "--site", "nowhere", "--json")
    assert json.loads(done.stdout) == []
    assert "nothing was found" in done.stderr


def test_what_somebody_has_labelled_is_left_out(dated):
    table, vectors = dated
    query = np.random.default_rng(7).standard_normal(16).astype(np.float32)
    said = Labels((
        Annotation("somewhere/3.wav", "robin"),
        Annotation("5.wav", "robin", 2.5, 3.5, kind="negative"),
        Annotation("5.wav", "wren", 7.0, 8.0, kind="unknown"),
    ))  # fmt: skip
    left_out = {*range(30, 40), 52, 53, 57}  # of clips that only meet an annotation nothing is said
    expected = [i for i in brute_force(vectors, query, 400)[0] if i not in left_out]
    assert numbers(search(table, query, 999, wanted=Wanted(not_in=said))) == expected
    assert len(expected) == 387


def test_labels_of_any_form_leave_clips_out(embedded, beats, tmp_path):
    table, sounds = embedded
    query = sounds / "recorder1" / "20240501_033000.wav"
    (tmp_path / "labels.csv").write_text(f"recording,label,start_s,end_s\n{query},robin,0,2.5\n")
    words = ("--model", TINY, "--top", 1, "--json", "--not-in", tmp_path / "labels.csv")
    (found,) = json.loads(beats("search", table, query, *words).stdout)
    assert (found["recording"], found["start_s"]) == (str(query), 3.0)


def test_a_site_is_shown_where_it_says_more_than_the_folder(capsys):
    one = Match(0.5, "card/a.wav", 0.0, 2.0, site="card")
    _print([one])
    assert capsys.readouterr().out.split("\n")[0].split() == ["cosine", "start_s", "end_s", "recording"]
    _print([one, Match(0.4, "card/b.wav", 0.0, 2.0, site="oak")])
    assert capsys.readouterr().out.split("\n")[0].split() == [
        "cosine", "start_s", "end_s", "site", "recording"
    ]  # fmt: skip
