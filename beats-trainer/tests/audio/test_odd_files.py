"""Odd files that are healthy lose nothing; spoilt ones end in our own error, or in none."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
import soundfile
from beats_trainer.audio import mp3
from beats_trainer.audio.completeness import header_findings
from beats_trainer.audio.decode import open_recording
from beats_trainer.audio.read import read_waveform
from beats_trainer.errors import RecordingError
from beats_trainer.recordings.metadata import read_deployment
from sounds import noise

ID3V2 = b"ID3\x04\0\0\0\0\x07\x76" + bytes(1_014)
ID3V1 = b"TAG" + bytes(125)
FORMATS = {
    "a.wav": (16_000, {}),
    "f.wav": (16_000, {"subtype": "FLOAT"}),
    "a.rf64": (16_000, {"format": "RF64"}),
    "a.w64": (16_000, {}),
    "a.aiff": (16_000, {}),
    "a.caf": (16_000, {}),
    "a.au": (16_000, {}),
    "a.flac": (16_000, {}),
    "a.mp3": (32_000, {}),
    "a.ogg": (32_000, {"format": "OGG", "subtype": "VORBIS"}),
    "a.opus": (48_000, {"format": "OGG", "subtype": "OPUS"}),
}


def kinds(path):
    return [finding.kind for finding in header_findings(path)]


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (22_050, 1), (8_000, 1)])
def test_an_mp3_of_any_kind_is_read_to_its_end(tmp_path, rate, channels):
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(10, rate, channels), rate)
    whole = path.read_bytes()
    bare = whole[mp3._frame_length(whole[:4]) :]  # its bitrate varies, and no header says how long it is
    for content, seconds in {
        whole: 10,
        ID3V2 + whole + ID3V1: 10,
        ID3V2 + whole + ID3V2 + whole: 20,
        whole + ID3V1 + whole + ID3V1: 20,
        bare: 10,
        bare + bare: 20,
    }.items():
        path.write_bytes(content)
        assert seconds <= len(read_waveform(path)) / 16_000 < seconds + 0.3
        assert kinds(path) == []


@pytest.mark.parametrize("samples", [100, 4_096, 40_960, 40_965, 160_000])
def test_a_flac_with_all_that_taggers_put_around_it_is_whole(tmp_path, samples):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(samples / 16_000), 16_000)
    expected, content = read_waveform(path), path.read_bytes()
    padding = b"\x01" + (5_000).to_bytes(3, "big") + bytes(5_000)
    padded = content[:4] + bytes([content[4] & 0x7F]) + content[5:42] + padding + content[42:]
    for odd in (padded, ID3V2 + content, content + ID3V1, ID3V2 + padded + ID3V1):
        path.write_bytes(odd)
        assert np.array_equal(read_waveform(path), expected)
        assert kinds(path) == []


def test_a_chunk_of_odd_size_without_its_padding_ends_where_it_says(tmp_path):
    def chunk(name, content):
        return name + struct.pack("<I", len(content)) + content

    sound = (noise(1)[:, 0] * 32_767).astype("<i2").tobytes()
    header = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16))
    body = b"WAVE" + header + chunk(b"data", sound + b"\1") + chunk(b"guan", b"GUANO|Version: 1.0\nSerial: 7")
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert (len(read_waveform(path)), kinds(path), read_deployment(path).device) == (16_000, [], "7")


def spoilt(content, rng):
    """Cut short, single bytes changed, and bytes put over, taken out and put in."""
    yield from (content[:size] for size in (*range(1, 60), 100, 200, 500))
    for head in (True, False) * 8:
        changed = bytearray(content)
        for at in rng.integers(0, min(len(content), 400) if head else len(content), 4):
            changed[at] = rng.integers(0, 256)
        yield bytes(changed)
    for at, size in zip(rng.integers(0, len(content), 4), rng.integers(1, 3_000, 4), strict=True):
        yield content[:at] + rng.bytes(size) + content[at + size :]
        yield content[:at] + content[at + size :]
        yield content[:at] + rng.bytes(size) + content[at:]


@pytest.mark.parametrize("name", FORMATS)
def test_whatever_a_file_holds_the_error_is_ours(record, tmp_path, name):
    rate, options = FORMATS[name]
    content = record(name, 3, rate, **options).read_bytes()
    path = tmp_path / f"spoilt-{name}"
    for version in spoilt(content, np.random.default_rng(0)):
        path.write_bytes(version)
        header_findings(path)
        read_deployment(path)
        with contextlib.suppress(RecordingError):
            assert np.isfinite(read_waveform(path, truncated="keep")).all()


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_joined_recordings_may_have_other_channels(tmp_path, first, second):
    parts = []
    for number, channels in enumerate((first, second)):
        path = tmp_path / f"{number}.ogg"
        soundfile.write(path, noise(1.0, 44_100, channels, seed=number), 44_100)
        parts.append(path)
    joined = tmp_path / "joined.ogg"
    joined.write_bytes(b"".join(path.read_bytes() for path in parts))
    with open_recording(joined) as opened:  # as each channel is embedded
        assert {block.shape[1] for block in opened.blocks} == {opened.channels} == {first}
    whole, alone = read_waveform(joined), [read_waveform(path) for path in parts]
    assert abs(len(whole) - sum(map(len, alone))) <= 2
    assert np.abs(whole[-8_000:-100] - alone[1][-8_000:-100]).max() < 0.02


def test_joined_recordings_of_another_rate_are_told_where_they_part(tmp_path):
    joined = tmp_path / "joined.ogg"
    with joined.open("wb") as file:
        for rate in (16_000, 44_100):
            soundfile.write(tmp_path / "part.ogg", noise(1.0, rate), rate)
            file.write((tmp_path / "part.ogg").read_bytes())
    with pytest.raises(RecordingError, match=r"goes on at 1\.0 s with 44100 Hz; expected 16000 Hz"):
        read_waveform(joined)
