# ruff: noqa: DTZ001 - recorders write times without a zone
"""Which recordings are meant, and what their recorders wrote."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone

import pyarrow.parquet as pq
import pytest
from beats_trainer.recordings.filenames import time_in_name
from beats_trainer.recordings.metadata import read_deployment
from beats_trainer.recordings.remote import RemoteCache
from beats_trainer.recordings.sources import find_sources


def names(*places, **options):
    return [source.name.rpartition("/")[2] for source in find_sources(places, **options)]


def test_folders_globs_and_lists_mean_each_recording_once(record, tmp_path):
    record("x/a.wav")
    record("x/deep/b.FLAC", format="FLAC")
    (tmp_path / "x" / "notes.md").write_text("no recording")
    listing = tmp_path / "list.txt"
    listing.write_text("# mine\nx/a.wav\n\nx/deep/b.FLAC\n")
    assert names(tmp_path / "x") == ["a.wav", "b.FLAC"]
    assert names(tmp_path / "x" / "**" / "*.FLAC") == ["b.FLAC"]
    assert names(listing, tmp_path / "x", tmp_path / "x" / "a.wav") == ["a.wav", "b.FLAC"]
    with pytest.raises(FileNotFoundError, match="no file matches"):
        names(tmp_path / "nowhere")


def test_what_a_csv_list_knows_is_joined_by_path_and_not_by_name(record, run, tmp_path):
    for device in ("one", "two"):
        record(f"{device}/000.wav", 1, seed=len(device))
    listing = tmp_path / "list.csv"
    listing.write_text(
        "file,device,latitude,datetime\none/000.wav,A,1.5,\ntwo/000.wav,B,,2020-01-01T00:00:00+02:00\n"
    )
    run(tmp_path / "t", listing)
    rows = pq.read_table(tmp_path / "t").to_pylist()
    assert [(r["device"], r["latitude"], r["utc_offset_min"]) for r in rows] == [
        ("A", 1.5, None),
        ("B", None, 120),
    ]


def test_names_are_full_paths_or_relative_to_a_folder(record, tmp_path):
    record("x/a.wav")
    assert find_sources([tmp_path])[0].name == (tmp_path / "x" / "a.wav").as_posix()
    assert find_sources([tmp_path], relative_to=tmp_path)[0].name == "x/a.wav"


def test_urls_are_read_through_a_cache_that_stays_within_its_bound(record, run, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for i in range(4):
        memory.pipe(f"/site/{i}.wav", record("a.wav", 1, seed=i).read_bytes())
    size = (tmp_path / "a.wav").stat().st_size
    cache = tmp_path / "cache"
    outcome = run(tmp_path / "t", "memory://site", cache_dir=cache, cache_bytes=2 * size)
    assert outcome.progress.clips == 4
    assert pq.read_table(tmp_path / "t")["recording"][0].as_py() == "memory:///site/0.wav"
    assert sum(p.stat().st_size for p in cache.iterdir()) <= 2 * size
    memory.rm("/site", recursive=True)


def test_a_recording_larger_than_the_cache_is_refused(tmp_path):
    import fsspec

    fsspec.filesystem("memory").pipe("/big.wav", b"0" * 1000)
    from beats_trainer.errors import RecordingError

    with (
        pytest.raises(RecordingError, match="--cache-gb"),
        RemoteCache(tmp_path, 100).local("memory://big.wav"),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "moment", "device"),
    [
        ("20190726_034500.WAV", datetime(2019, 7, 26, 3, 45), None),
        ("5D3A4F1C.WAV", datetime(2019, 7, 26, 0, 53, 48, tzinfo=UTC), None),
        ("247AA5015EB0A2F2_20200504_055500.WAV", datetime(2020, 5, 4, 5, 55), "247AA5015EB0A2F2"),
        ("SITE7_0+1_20190726$034500.wav", datetime(2019, 7, 26, 3, 45), "SITE7"),
        ("S4A02895_A_20190726_034500_000.wav", datetime(2019, 7, 26, 3, 45), "S4A02895"),
        (
            "20191231T133000+1000_REC_-27.3810+152.8800.flac",
            datetime(2019, 12, 31, 13, 30, tzinfo=timezone(timedelta(hours=10))),
            None,
        ),
        ("track01.mp3", None, None),
        ("DEADBEEF.wav", None, None),
        ("55000001.WAV", None, None),  # as likely a number as a moment
        ("5500000A.WAV", datetime(2015, 3, 11, 8, 42, 50, tzinfo=UTC), None),
        ("20240501_053000-0012.wav", datetime(2024, 5, 1, 5, 30), None),  # no zone, but the twelfth part
        (
            "20240501_053000-0330.wav",
            datetime(2024, 5, 1, 5, 30, tzinfo=timezone(-timedelta(minutes=210))),
            None,
        ),
        ("20240501_053000Z.wav", datetime(2024, 5, 1, 5, 30, tzinfo=UTC), None),
        ("20190231_034500.wav", None, None),
    ],
)
def test_names_of_recorders_are_read(name, moment, device):
    facts = time_in_name(name).facts
    assert (facts.get("datetime"), facts.get("device")) == (moment, device)


def with_chunk(path, name, content):
    whole = path.read_bytes() + name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    path.write_bytes(whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:])
    return path


def test_guano_is_read(record):
    text = (
        "GUANO|Version: 1.0\nTimestamp: 2021-05-01T22:10:00+02:00\nLoc Position: 52.5 -13.25\nSerial: SN9\n"
    )
    found = read_deployment(with_chunk(record("a.wav"), b"guan", text.encode()))
    assert found.datetime == datetime(2021, 5, 1, 20, 10, tzinfo=UTC)
    assert (found.device, found.latitude, found.longitude) == ("SN9", 52.5, -13.25)


def test_wamd_is_read(record):
    texts = {2: b"S4U01234", 5: b"2021-05-01 22:10:00+02:00", 6: b"WGS84,42.5,N,71.25,W,35"}
    content = b"".join(struct.pack("<HI", number, len(text)) + text for number, text in texts.items())
    found = read_deployment(with_chunk(record("a.wav"), b"wamd", content))
    assert (found.device, found.latitude, found.longitude) == ("S4U01234", 42.5, -71.25)
    assert found.at(1.0) == (datetime(2021, 5, 1, 22, 10, 1), 120)


def test_an_audiomoth_comment_is_read(record):
    text = b"Recorded at 19:17:30 10/12/2018 (UTC-5) by AudioMoth 0FE081F80FE081F1 at gain setting 2\0"
    content = b"INFOICMT" + struct.pack("<I", len(text)) + text
    found = read_deployment(with_chunk(record("a.wav"), b"LIST", content))
    assert found.datetime == datetime(2018, 12, 10, 19, 17, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert found.device == "0FE081F80FE081F1"
