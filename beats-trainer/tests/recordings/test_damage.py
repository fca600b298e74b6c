"""Every way in which recordings are broken, beside whole ones."""

from __future__ import annotations

import csv
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from beats_trainer.audio.completeness import header_findings
from beats_trainer.audio.read import read_waveform
from beats_trainer.errors import RecordingError
from beats_trainer.table.files import Output
from sounds import noise


def kinds(path):
    return [finding.kind for finding in header_findings(path)]


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


FORMATS = [
    ("a.wav", {}),
    ("a.rf64", {"format": "RF64"}),
    ("a.w64", {"format": "W64"}),
    ("a.aiff", {}),
    ("a.caf", {}),
    ("a.au", {}),
    ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    ("a.mp3", {}),
]


@pytest.mark.parametrize(("name", "options"), FORMATS)
def test_half_a_file_is_truncated_and_a_whole_one_is_not(record, name, options):
    path = record(name, 20, 48_000, **options)
    assert kinds(path) == []
    assert kinds(halved(path)) == ["truncated"]


@pytest.mark.parametrize(("name", "options"), [*FORMATS, ("a.flac", {})])
def test_half_a_file_is_no_waveform_unless_what_is_there_is_to_be_kept(record, name, options):
    path = record(name, 20, 48_000, **options)
    assert len(read_waveform(path)) >= 320_000
    with pytest.raises(RecordingError, match=r"truncated|decoded"):
        read_waveform(halved(path))
    with pytest.raises(RecordingError, match=r"truncated|decoded"):
        read_waveform(path, start_s=1, end_s=9)
    if name != "a.caf":  # libsndfile opens no half of one
        assert 64_000 < len(read_waveform(path, truncated="keep")) < 200_000


def test_an_mp3_with_fewer_frames_than_it_promises_is_truncated(record, run, tmp_path):
    path = record("a.mp3", 20, 48_000)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(content[4096:4098])])  # between two frames
    (line,) = run(tmp_path / "t", path).lines
    assert "promises" in line.facts.findings[0].detail
    with pytest.raises(RecordingError, match=r"truncated: MP3: the header promises"):
        read_waveform(path)


def test_what_is_decoded_before_it_fails_is_kept_as_the_table_keeps_it(record, run, tmp_path):
    path = halved(record("a.flac", 20, 48_000))
    (line,) = run(tmp_path / "t", path).lines
    assert line.status == "truncated"
    assert len(read_waveform(path, truncated="keep")) == round(line.facts.duration_s * 16_000)


def ogg_pages(path):
    """The pages of a file, each as its bytes."""
    content = path.read_bytes()
    starts = [match.start() for match in re.finditer(rb"OggS\x00", content)]
    return [content[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def packet_goes_on(page):
    return page[27 + page[26] - 1] == 255


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_stream_that_nobody_ended_is_told_and_is_no_loss(record, run, tmp_path, subtype):
    path = record("a.ogg", 20, 48_000, format="OGG", subtype=subtype)
    pages = ogg_pages(path)[:-1]
    while packet_goes_on(pages[-1]):
        pages.pop()
    path.write_bytes(b"".join(pages))

    outcome = run(tmp_path / "t", path, strict=True)

    assert kinds(path) == ["unended"]
    assert len(read_waveform(path)) == round(outcome.lines[0].facts.duration_s * 16_000)
    assert (outcome.stopped_at, outcome.failed) == (None, [])
    assert outcome.lines[0].embedded == "yes"


def test_an_ogg_packet_that_goes_on_in_a_missing_page_is_truncated(record):
    path = record("a.ogg", 20, 48_000, format="OGG", subtype="VORBIS")
    *pages, last = ogg_pages(path)
    path.write_bytes(b"".join(pages) + last[:26] + bytes([1, 255]) + bytes(255))
    assert kinds(path) == ["truncated"]


@pytest.mark.parametrize("more", [-1, 1, 3, 20, 40])
def test_an_ogg_page_that_is_cut_is_truncated_wherever(record, more):
    path = record("a.ogg", 20, 48_000, format="OGG", subtype="VORBIS")
    content, pages = path.read_bytes(), ogg_pages(path)
    path.write_bytes(content[: sum(map(len, pages[:5])) + more])
    assert kinds(path) == ["truncated"]


def test_what_follows_the_end_of_an_ogg_stream_does_not_matter(record):
    path = record("a.ogg", 20, 48_000, format="OGG", subtype="VORBIS")
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))  # as ID3v1 does
    assert kinds(path) == []


@pytest.mark.parametrize("name", ["a.wav", "a.w64", "a.rf64", "a.aiff", "a.au"])
def test_what_is_there_of_half_a_file_is_embedded(record, run, tmp_path, name):
    options = {"format": "RF64"} if name == "a.rf64" else {}
    outcome = run(tmp_path / "t", halved(record(name, 8, **options)))
    (line,) = outcome.lines
    assert (line.status, line.embedded, line.facts.clips) == ("truncated", "yes", 4)
    assert not outcome.failed


def test_libsndfile_opens_no_half_of_a_caf_file_and_the_report_says_both(record, run, tmp_path):
    (line,) = run(tmp_path / "t", halved(record("a.caf", 8))).lines
    assert (line.status, line.embedded) == ("truncated undecodable", "no")


def test_a_stream_of_au_that_does_not_say_its_length_is_whole(record):
    path = record("a.au")
    content = path.read_bytes()
    path.write_bytes(content[:8] + b"\xff" * 4 + content[12:])
    assert kinds(path) == []


@pytest.fixture
def collection(record, tmp_path):
    record("good.wav", 4.5)
    record("twin.flac", 4.5)
    halved(record("cut.wav", 6, seed=1))
    halved(record("cut.flac", 8, 48_000, seed=2))
    (tmp_path / "none.wav").touch()
    (tmp_path / "text.wav").write_text("this is no sound " * 40)
    soundfile.write(tmp_path / "silent.wav", np.zeros(32_000), 16_000)
    holed = noise(3)
    holed[20_000] = np.inf
    soundfile.write(tmp_path / "holed.wav", holed, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "loud.wav", np.clip(9 * noise(2), -1, 1), 16_000)
    return tmp_path


def test_one_bad_file_never_stops_the_others_and_the_report_names_each(collection, run):
    outcome = run(collection / "table", collection)
    with Output(collection / "table").report.open() as file:
        report = {row["recording"].rpartition("/")[2]: row for row in csv.DictReader(file)}
    status = {name: row["status"] for name, row in report.items()}
    assert status["good.wav"] == "ok"
    assert status["cut.wav"] == "truncated"
    assert "truncated" in status["cut.flac"] or "undecodable" in status["cut.flac"]
    assert status["none.wav"] == "empty"
    assert status["text.wav"] == "undecodable"
    assert status["silent.wav"] == "silent"
    assert status["holed.wav"] == "nan"
    assert status["loud.wav"] == "clipped"
    assert report["cut.wav"]["embedded"] == "yes"
    assert (report["holed.wav"]["embedded"], report["holed.wav"]["left_out"]) == ("partly", "1")
    assert {"none.wav", "text.wav", "holed.wav"} <= {
        line.recording.rpartition("/")[2] for line in outcome.failed
    }
    rows = pq.read_table(collection / "table", partitioning=None)
    assert np.isfinite(np.stack(rows["embedding"].to_pylist())).all()


def test_recordings_that_sound_the_same_are_named(record, run, tmp_path):
    for name in ("a/x.wav", "b/x.wav", "c/x.flac"):
        record(name)
    samples, rate = soundfile.read(tmp_path / "a" / "x.wav", dtype="int16")
    soundfile.write(tmp_path / "c" / "x.flac", samples, rate)
    record("d/x.wav", seed=1)
    lines = run(tmp_path / "table", tmp_path).lines
    assert [line.status for line in lines] == ["ok", "duplicate", "duplicate", "ok"]
    assert lines[0].recording in lines[1].facts.findings[0].detail


def test_strict_stops_at_the_first_damage(collection, run):
    outcome = run(collection / "table", collection / "none.wav", collection / "twin.flac", strict=True)
    assert outcome.stopped_at is not None
    assert outcome.stopped_at.endswith("none.wav")


def test_a_missing_extra_is_said_and_tried_again(tmp_path, run, record, monkeypatch):
    import sys

    record("good.wav")
    (tmp_path / "a.m4a").write_bytes(b"\x00" * 100)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        outcome = run(tmp_path / "table", tmp_path)
    assert "pip install 'beats-trainer[ffmpeg]'" in str(outcome.failed[0].facts.findings[0])
    assert run(tmp_path / "table", tmp_path).failed[0].status == "undecodable"
