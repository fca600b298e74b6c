"""Where the samples of a file lie, whatever its header says; and headers that would take for ever."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from beats_trainer.audio.chunks import MOST_CHUNKS, read_chunks
from beats_trainer.audio.completeness import header_findings
from beats_trainer.audio.extent import find_extent
from beats_trainer.audio.read import read_waveform
from beats_trainer.errors import RecordingError
from sounds import noise

RATE = 16_000


def chunk(name, content, size=None):
    told = len(content) if size is None else size
    return name + struct.pack("<I", told) + content + b"\0" * (len(content) % 2)


def wav(*chunks, size=None):
    body = b"WAVE" + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)) + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def pcm(seconds, seed=0):
    return (noise(seconds, seed=seed)[:, 0] * 32_767).astype("<i2").tobytes()


def kinds(path):
    return [finding.kind for finding in header_findings(path)]


@pytest.fixture
def written(tmp_path):
    def write(content, name="a.wav"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


SOUND = pcm(3)
SIZES = {
    "never written": 0,
    "of a stream": 0xFFFFFFFF,
    "of SoX": 0x7FFFF000,
    "of arecord": 0x80000000,
    "of FFmpeg, less its header": 0xFFFFFFFF - 36,
    "with the header": len(SOUND) + 44,
    "of a header that was written once": 44,
    "as it was after a second": 2 * RATE,
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_all_of_the_sound_is_read_whatever_its_size_is_said_to_be(written, size):
    path = written(wav(chunk(b"data", SOUND, size)))
    expected = read_waveform(written(wav(chunk(b"data", SOUND)), "right.wav"))

    assert np.array_equal(read_waveform(path), expected)
    assert np.array_equal(read_waveform(path, start_s=2.0), expected[2 * RATE :])
    assert kinds(path) == ["unended" if size == 0 or size > 1 << 30 else "stale"]


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("name", ["a.wav", "a.w64", "a.aiff", "a.au"])
def test_a_stale_size_costs_no_sound_in_any_plain_coding(record, name, subtype):
    if subtype == "PCM_U8" and name in {"a.aiff", "a.au"}:
        pytest.skip("libsndfile writes none")
    path = record(name, 3, channels=2, subtype=subtype)
    expected = read_waveform(path)
    content = bytearray(path.read_bytes())
    samples = read_chunks(path).samples
    if name == "a.au":
        content[8:12] = struct.pack(">I", samples.size // 3)
    elif name == "a.w64":
        content[samples.offset - 8 : samples.offset] = struct.pack("<Q", samples.size // 24 * 8 + 24)
    else:
        order = ">" if name == "a.aiff" else "<"
        content[samples.offset - 4 : samples.offset] = struct.pack(f"{order}I", samples.size // 24 * 8)
    path.write_bytes(content)

    assert np.array_equal(read_waveform(path), expected)
    assert kinds(path) == ["stale"]


@pytest.mark.parametrize("behind", [b"", chunk(b"LIST", b"INFOICMT\4\0\0\0abc\0"), chunk(b"odd ", b"12345")])
def test_chunks_behind_the_sound_are_none_of_it(written, behind):
    path = written(wav(chunk(b"data", SOUND), behind))
    assert (find_extent(path).size, kinds(path)) == (len(SOUND), [])


def test_what_was_reserved_and_never_recorded_is_named_and_not_embedded(written):
    expected = read_waveform(written(wav(chunk(b"data", SOUND))))
    for size in (len(SOUND), 0):
        path = written(wav(chunk(b"data", SOUND, size)) + bytes(1 << 20))
        assert np.allclose(read_waveform(path)[: 3 * RATE - 1], expected[: 3 * RATE - 1])
        assert len(read_waveform(path)) <= 3 * RATE
        assert "zero_tail" in kinds(path)


def test_a_recording_without_sound_that_has_other_chunks_is_empty(written):
    path = written(wav(chunk(b"data", b""), chunk(b"LIST", b"INFO" + bytes(40))))
    assert find_extent(path).size == 0
    with pytest.raises(RecordingError, match="empty"):
        read_waveform(path)


def test_bytes_that_are_no_chunk_and_too_few_for_sound_are_told(written):
    path = written(wav(chunk(b"data", SOUND)) + b"\x01\x02" * 60)
    assert (kinds(path), len(read_waveform(path))) == (["leftover"], 3 * RATE)


def test_another_recording_behind_the_first_is_told_and_costs_it_nothing(written):
    path = written(wav(chunk(b"data", SOUND)) * 2)
    assert (kinds(path), len(read_waveform(path))) == (["leftover"], 3 * RATE)


def test_a_size_that_began_again_at_4_gigabytes_is_the_one_that_the_next_chunk_shows(written):
    path = written(wav(chunk(b"data", b"", 1_000)))
    true_size = (1 << 32) + 1_000
    with path.open("r+b") as file:
        file.seek(44 + true_size)
        file.write(chunk(b"guan", b"GUANO|Version: 1.0 "))
    assert (find_extent(path).size, kinds(path)) == (true_size, ["stale"])


@pytest.mark.parametrize("content", [b"", b"xx", bytes(24), b"\xff" * 28])
def test_a_ds64_chunk_that_is_cut_or_says_nothing_costs_no_sound(written, content):
    path = written(wav(chunk(b"ds64", content, 28), chunk(b"data", SOUND)))
    read_chunks(path)
    assert isinstance(kinds(path), list)


def test_metadata_behind_the_sound_of_rf64_is_found(record):
    path = record("a.rf64", 2, format="RF64")
    path.write_bytes(path.read_bytes() + chunk(b"guan", b"GUANO|Version: 1.0\n"))
    assert read_chunks(path).named("guan").size == 19


@pytest.mark.parametrize("filling", [bytes(8 << 20), b"junk\0\0\0\0" * 1_000_000])
def test_the_walk_over_chunks_ends_whatever_the_file_holds(written, filling):
    path = written(wav(chunk(b"data", SOUND)) + filling)
    tracemalloc.start()
    chunked = read_chunks(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(chunked.chunks) < 10
    assert chunked.end <= path.stat().st_size
    assert peak < 4 << 20


def test_more_chunks_than_any_recorder_writes_are_not_walked_over(written):
    path = written(wav(b"junk\0\0\0\0" * (MOST_CHUNKS + 1), chunk(b"data", SOUND)))
    assert read_chunks(path).samples is None
    assert kinds(path) == []  # what was not looked at is not known to be missing


def test_a_file_of_unknown_coding_is_left_to_its_decoder(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(3), RATE, subtype="IMA_ADPCM")
    assert len(read_waveform(path)) >= 3 * RATE
