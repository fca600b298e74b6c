"""Recordings of every kind in, mono 16 kHz out; what is no whole recording is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from beats_trainer.audio.clips import ClipPlan, cut_clips
from beats_trainer.audio.decode import open_recording
from beats_trainer.audio.playback import Playback
from beats_trainer.audio.read import read_waveform, resample, stream_waveform
from beats_trainer.errors import RecordingError

LASTS = ("full", "pad", "drop", "extend")


def noise(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    shape = (int(seconds * rate), channels) if channels > 1 else int(seconds * rate)
    return np.random.default_rng(7).uniform(-0.5, 0.5, shape).astype(np.float32)


def wav(path: Path, samples: np.ndarray, rate: int, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 192_000])
def test_any_rate_becomes_16_khz_as_the_whole_resampled(tmp_path: Path, rate: int):
    samples = noise(2.3, rate)
    waveform = read_waveform(wav(tmp_path / "a.wav", samples, rate))
    expected = samples if rate == 16_000 else soxr.resample(samples, rate, 16_000, quality="HQ")
    np.testing.assert_array_equal(waveform, expected)
    np.testing.assert_array_equal(resample(samples, rate), expected)


def test_eight_channels_are_mixed_or_one_is_chosen(tmp_path: Path):
    samples = noise(1, 16_000, channels=8)
    path = wav(tmp_path / "a.wav", samples, 16_000)
    np.testing.assert_allclose(read_waveform(path), samples.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(read_waveform(path, channels="first"), samples[:, 0])
    np.testing.assert_array_equal(read_waveform(path, channels=5), samples[:, 5])
    with pytest.raises(RecordingError, match="no channel 8: it has 8"):
        read_waveform(path, channels=8)


def tracks(path: Path, channels) -> np.ndarray:
    with open_recording(path) as recording:
        return np.concatenate(list(Playback(path, channels).blocks(recording)))


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_command_and_the_library_hear_the_same(tmp_path: Path, rate: int):
    path = wav(tmp_path / "a.wav", noise(5, rate, channels=3), rate)
    each = tracks(path, "each")
    assert each.shape == (80_000, 3)
    for number in range(3):
        np.testing.assert_array_equal(read_waveform(path, channels=number), each[:, number])
    np.testing.assert_array_equal(read_waveform(path, channels="first"), tracks(path, "first")[:, 0])
    np.testing.assert_array_equal(read_waveform(path), tracks(path, "mix")[:, 0])


def test_what_is_no_number_in_a_channel_that_nobody_asked_for_does_not_matter(tmp_path: Path):
    samples = noise(1, 16_000, channels=2)
    samples[100, 1] = np.inf
    path = wav(tmp_path / "a.wav", samples, 16_000)
    np.testing.assert_array_equal(read_waveform(path, channels=0), samples[:, 0])
    for channels in (1, "mix"):
        with pytest.raises(RecordingError, match="no numbers"):
            read_waveform(path, channels=channels)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff"])
def test_other_formats_are_read(tmp_path: Path, suffix: str):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(1, 44_100), 44_100)
    assert abs(len(read_waveform(path)) - 16_000) < 1600


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (3.3, 4.7), (11.25, None), (2.0, 99.0)])
def test_a_stretch_equals_the_same_stretch_of_the_whole(tmp_path: Path, start_s: float, end_s: float | None):
    path = wav(tmp_path / "a.wav", noise(13, 44_100), 44_100)
    whole = read_waveform(path)
    end = None if end_s is None else round(end_s * 16_000)
    part = read_waveform(path, start_s=start_s, end_s=end_s)
    np.testing.assert_allclose(part, whole[round(start_s * 16_000) : end], atol=2e-6)


def test_blocks_joined_are_the_whole(tmp_path: Path):
    path = wav(tmp_path / "a.wav", noise(31, 22_050), 22_050)
    blocks = list(stream_waveform(path))
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), read_waveform(path))


def test_an_empty_file_and_an_empty_recording_are_named(tmp_path: Path):
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(RecordingError, match=r"empty\.wav.*empty"):
        read_waveform(empty)
    with pytest.raises(RecordingError, match=r"none\.wav.*empty"):
        read_waveform(wav(tmp_path / "none.wav", np.empty(0, np.float32), 16_000))


def test_a_truncated_wav_is_refused_unless_it_is_to_be_kept(tmp_path: Path):
    path = wav(tmp_path / "a.wav", noise(3, 16_000), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RecordingError, match=r"truncated: RIFF: the header promises .* bytes of samples"):
        read_waveform(path)
    assert 20_000 < len(read_waveform(path, truncated="keep")) < 28_000


def test_samples_that_are_no_numbers_are_refused_with_their_place(tmp_path: Path):
    samples = noise(25, 16_000)
    samples[21 * 16_000] = np.nan
    with pytest.raises(RecordingError, match=r"no numbers \(NaN or infinity\).* 21\.000 s"):
        read_waveform(wav(tmp_path / "a.wav", samples, 16_000))


def test_what_is_no_sound_is_named_and_what_to_do(tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_text("no sound at all")
    with pytest.raises(RecordingError, match=r"a\.wav cannot be decoded.*ffmpeg"):
        read_waveform(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_waveform(tmp_path / "nowhere.wav")


@pytest.mark.parametrize("last", LASTS)
@pytest.mark.parametrize("hop_s", [None, 0.5, 1.5])
@pytest.mark.parametrize("length", [0, 5_000, 16_000, 16_001, 32_000, 100_000])
def test_clips_cut_on_the_fly_are_those_of_the_plan(length: int, hop_s: float | None, last):
    whole = noise(length / 16_000, 16_000)[:length]
    plan = ClipPlan(1.0, hop_s, last)
    clips = list(cut_clips((whole[at : at + 7_000] for at in range(0, length, 7_000)), plan))
    assert [(clip.start, clip.end) for clip in clips] == plan.spans(length)
    for clip in clips:
        expected = np.zeros(clip.end - clip.start, np.float32)
        held = whole[clip.start : clip.end]
        expected[: len(held)] = held
        np.testing.assert_array_equal(clip.waveform, expected)


def test_the_four_ways_to_treat_the_rest():
    spans = {last: ClipPlan(1.0, None, last).spans(40_000) for last in LASTS}  # type: ignore[arg-type]
    assert spans["drop"] == [(0, 16_000), (16_000, 32_000)]
    assert spans["pad"] == [*spans["drop"], (32_000, 48_000)]
    assert spans["full"] == [*spans["drop"], (24_000, 40_000)]
    assert spans["extend"] == [(0, 16_000), (16_000, 40_000)]


@pytest.mark.parametrize(("clip_s", "hop_s"), [(0.1, None), (0, None), (1.0, 0.0), (1.0, -1.0)])
def test_a_plan_that_cannot_be_is_refused(clip_s: float, hop_s: float | None):
    with pytest.raises(ValueError, match="one patch"):
        ClipPlan(clip_s, hop_s)
