# ruff: noqa: DTZ001 - recorders write times without a zone
"""What recorders wrote is never a reason to lose sound: what cannot be is not known, and told."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from beats_trainer.recordings.filenames import NameRules
from beats_trainer.recordings.metadata import read_deployment
from beats_trainer.recordings.said import Said, read_zone


def with_chunks(path, *chunks):
    whole = path.read_bytes()
    for name, content in chunks:
        whole += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    path.write_bytes(whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:])
    return path


def comment(text):
    content = text.encode() + b"\0"
    return b"LIST", b"INFOICMT" + struct.pack("<I", len(content)) + content


def icrd(text):
    return b"LIST", b"INFOICRD" + struct.pack("<I", len(text)) + text.encode()


def guano(text):
    return b"guan", f"GUANO|Version: 1.0\n{text}\n".encode()


def wamd(number, text):
    return b"wamd", struct.pack("<HI", number, len(text)) + text.encode()


def bext(date, time):
    return b"bext", bytes(320) + date.encode().ljust(10, b"\0") + time.encode().ljust(8, b"\0") + bytes(400)


TEN = timezone(timedelta(hours=10))
AUDIOMOTH = "Recorded at {} by AudioMoth 247AA5015EB0A2F2 at medium gain"
NONSENSE = {
    "a month that there is not": comment(AUDIOMOTH.format("19:17:30 99/99/2018 (UTC)")),
    "the 31st of February": comment(AUDIOMOTH.format("01:30:00 31/02/2021 (UTC)")),
    "an hour that there is not": comment(AUDIOMOTH.format("99:99:99 10/12/2018 (UTC)")),
    "a zone that there is not": comment(AUDIOMOTH.format("19:17:30 10/12/2018 (UTC+99)")),
    "the end of the calendar": guano("Timestamp: 9999-12-31T23:59:59"),
    "its beginning": guano("Timestamp: 0001-01-01T00:00:00"),
    "no time at all": guano("Timestamp: yesterday"),
    "a zone of a day": guano("Timestamp: 2020-01-01T00:00:00+23:59"),
    "a latitude that there is not": guano("Loc Position: 510.0 3.0"),
    "a place that is no number": guano("Loc Position: nan nan"),
    "a place in words": guano("Loc Position: north west"),
    "a receiver that has not found itself": guano("Loc Position: 0.0 0.0"),
    "an expansion that is none": guano("TE: ten"),
    "an expansion of nothing": guano("TE: 0"),
    "a wamd time": wamd(5, "2020-13-40 25:61:00"),
    "a wamd place": wamd(6, "WGS84,95.0,N,200.0,W"),
    "a bext time": bext("2020-02-31", "12:00:00"),
    "an ICRD time": icrd("2020-99-99T12:00:00"),
}


@pytest.mark.parametrize("chunk", NONSENSE.values(), ids=NONSENSE)
def test_what_cannot_be_is_not_known_and_told_and_costs_nothing(record, run, tmp_path, chunk):
    path = with_chunks(record("rec/a.wav"), chunk)

    (line,) = run(tmp_path / "t", path).lines

    found = read_deployment(path)
    assert (found.datetime, found.latitude, found.longitude, found.time_expansion) == (None,) * 4
    assert (line.status, line.embedded, line.facts.clips) == ("metadata", "yes", 3)
    assert "cannot be" in line.facts.findings[0].detail
    assert pq.read_table(tmp_path / "t")["datetime"].null_count == 3


def test_letters_that_are_none_make_no_recorder(record):
    found = read_deployment(with_chunks(record("a.wav"), guano("Serial: SM4\x1b[31m-7\x00" + "9" * 500)))
    assert found.device.startswith("SM4[31m-79")
    assert len(found.device) == 100


@pytest.mark.parametrize(
    ("chunk", "moment"),
    [
        (bext("2018-12-10", "19:17:30"), datetime(2018, 12, 10, 19, 17, 30)),
        (bext("2018:12:10", "19-17-30"), datetime(2018, 12, 10, 19, 17, 30)),
        (bext("0000-00-00", "00:00:00"), None),
        (bext("", ""), None),
        (icrd("2018-12-10 19:17:30"), datetime(2018, 12, 10, 19, 17, 30)),
        (icrd("2018-12-10"), None),
    ],
)
def test_what_broadcast_waves_and_info_say_is_read_without_a_doubt(record, chunk, moment):
    found = read_deployment(with_chunks(record("a.wav"), chunk))
    assert (found.datetime, found.doubts) == (moment, ())


def test_a_flac_of_frontier_labs_says_when_and_where(tmp_path, record):
    content = record("a.flac").read_bytes()
    texts = [
        "RECORDINGSTART=2020-01-02T03:04:05+1000",
        "SENSORLOCATION=-27.3810 +152.8800",
        "SENSORUID=000123",
    ]
    block = struct.pack("<II", 0, len(texts)) + b"".join(
        struct.pack("<I", len(t)) + t.encode() for t in texts
    )
    path = tmp_path / "b.flac"
    path.write_bytes(content[:42] + b"\x04" + len(block).to_bytes(3, "big") + block + content[42:])

    found = read_deployment(path)

    assert found.datetime == datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=10)))
    assert (found.latitude, found.longitude, found.device) == (-27.381, 152.88, "000123")


def test_what_two_sources_say_otherwise_is_told_and_the_first_is_believed(record):
    path = with_chunks(
        record("20240501_053000.wav"),
        guano("Timestamp: 2024-06-01T05:30:00+10:00\nLoc Position: -27.0 152.0"),
        wamd(6, "WGS84,30.0,S,152.0,E"),
    )
    found = read_deployment(path)
    assert (found.datetime.month, found.latitude) == (6, -27.0)
    assert [doubt.split(" ")[0:3] for doubt in found.doubts] == [
        ["GUANO", "says", "latitude"],
        ["GUANO", "says", "datetime"],
    ]


@pytest.mark.parametrize(
    "text", ["2024-05-01T05:30:00+10:00", "2024-05-01T15:30:20+10:00", "2024-05-01T05:30:40"]
)
def test_a_clock_without_a_zone_agrees_with_that_of_the_place_and_with_utc(record, text):
    path = with_chunks(record("20240501_053000.wav"), guano(f"Timestamp: {text}"))
    assert read_deployment(path).doubts == ()


def test_the_clock_of_a_time_expanded_recording_is_that_of_the_night(record, run, tmp_path):
    path = with_chunks(record("a.wav", 20), guano("Timestamp: 2021-12-16T21:02:44+01:00\nTE: 10"))
    (line,) = run(tmp_path / "t", path).lines
    rows = pq.read_table(tmp_path / "t").to_pylist()
    assert rows[-1]["start_s"] == 19.0
    assert rows[-1]["datetime"] == datetime(2021, 12, 16, 21, 2, 45, 900_000)
    assert "time-expanded 10 times" in line.facts.findings[0].detail


def test_the_serial_of_the_first_firmware_is_no_recorder(record, run, tmp_path):
    text = "Recorded at 19:10:00 06/04/2018 (UTC) by AudioMoth 0FE081F80FE081F0 at gain setting 2"
    for site in ("forest", "lake"):
        with_chunks(record(f"rec/{site}/5AC7C500.WAV", seed=len(site)), comment(text))
    run(tmp_path / "t", tmp_path / "rec")
    rows = pq.read_table(tmp_path / "t").to_pylist()
    assert {(row["device"], Path(row["site"]).name) for row in rows} == {(None, "forest"), (None, "lake")}


@pytest.mark.parametrize(
    ("rules", "name", "moment"),
    [
        (NameRules(time_format="%y%m%d%H%M%S"), "5678.190726034500.wav", datetime(2019, 7, 26, 3, 45)),
        (NameRules(time_format="%Y-%m-%d_%H-%M"), "g_2019-07-26_03-45.wav", datetime(2019, 7, 26, 3, 45)),
        (NameRules(time_format="%Y%j_%H%M"), "2019207_0345.flac", datetime(2019, 7, 26, 3, 45)),
        (NameRules(time_format="%y%m%d%H%M%S"), "20190726_034500.wav", None),
        (NameRules(zone=TEN), "20190726_034500.wav", datetime(2019, 7, 26, 3, 45, tzinfo=TEN)),
        (NameRules(zone=TEN), "20190726_034500Z.wav", datetime(2019, 7, 26, 3, 45, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_names_and_clocks_of_the_rest_of_the_world_are_read_by_rule(rules, name, moment):
    assert rules.zoned(rules.read(name).facts.get("datetime")) == moment


@pytest.mark.parametrize(
    ("rule", "site"),
    [
        (None, "SITE7"),
        ("device", "SITE7"),
        ("folder", "/data/north"),
        (r"/(no\w+)/", "north"),
        ("x(y)", "/data/north"),
    ],
)
def test_a_site_is_the_device_the_folder_or_what_an_expression_finds(rule, site):
    assert NameRules(site_from=rule).site("/data/north/SITE7_20190726_034500.wav", "SITE7") == site


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"site_from": "("}, "no regular expression"),
        ({"site_from": "abc"}, "has no group for the site"),
        ({"time_format": "%Q"}, "%Q"),
        ({"time_format": "abc"}, "no field"),
    ],
)
def test_rules_that_are_none_are_refused_with_an_example(options, said):
    with pytest.raises(ValueError, match=said):
        NameRules(**options)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+10:00", 600), ("-3", -180), ("UTC+5:30", 330), ("Z", 0), ("utc", 0), ("-0930", -570)],
)
def test_distances_from_utc_are_read_in_all_their_forms(text, minutes):
    assert read_zone(text).utcoffset(None) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "ten", "+99", "+14:30", "10:00", "Europe/Berlin"])
def test_what_is_no_distance_from_utc_is_refused(text):
    with pytest.raises(ValueError, match=r"Expected hours and minutes"):
        read_zone(text)


def test_a_doubt_shows_no_more_than_a_line_of_what_it_doubts():
    said = Said("x")
    said.moment("9" * 100_000)
    assert len(said.doubts[0]) < 150
