"""Streams against the same done at once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr
from beats_trainer.audio.clips import ClipPlan, cut_clips
from beats_trainer.audio.decode import open_recording
from beats_trainer.audio.health import Health
from beats_trainer.audio.playback import Playback
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import noise


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 250_000])
def test_streamed_and_resampled_blocks_are_exactly_the_whole(record, rate):
    path = record("a.wav", 25, rate, 2, subtype="FLOAT")
    with open_recording(path) as recording:
        streamed = np.concatenate(list(Playback(path, "each").blocks(recording)))
    whole, _ = soundfile.read(path, dtype="float32")
    expected = soxr.resample(whole, rate, 16_000) if rate != 16_000 else whole
    assert np.array_equal(streamed, expected)


@given(
    length=st.integers(0, 200_000),
    clip=st.integers(2_800, 60_000),
    hop=st.integers(500, 70_000),
    last=st.sampled_from(["full", "pad", "drop", "extend"]),
    blocks=st.integers(1, 50_000),
)
@settings(max_examples=150, deadline=None)
def test_clips_cut_from_a_stream_are_those_of_the_plan(length, clip, hop, last, blocks):
    waveform = np.arange(2 * length, dtype=np.float32).reshape(-1, 2) + 1
    plan = ClipPlan(clip / 16_000, hop / 16_000, last)
    pieces = list(cut_clips((waveform[i : i + blocks] for i in range(0, length, blocks)), plan))
    assert [(piece.start, piece.end) for piece in pieces] == plan.spans(length)
    for piece in pieces:
        inside = waveform[piece.start : piece.end]
        assert np.array_equal(piece.waveform[: len(inside)], inside)
        assert not piece.waveform[len(inside) :].any()


def test_m4a_decodes_through_the_extra(tmp_path):
    av = pytest.importorskip("av", reason="needs the extra: pip install 'beats-trainer[ffmpeg]'")
    path = tmp_path / "a.m4a"
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * 44_100) / 44_100).astype(np.float32)[None] / 2
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44_100, layout="mono")
        for start in range(0, tone.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(tone[:, start : start + 1024]), "fltp", "mono"
            )
            frame.sample_rate = 44_100
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with open_recording(path) as recording:
        decoded = np.concatenate(list(recording.blocks))[:, 0]
    assert recording.sample_rate == 44_100
    assert abs(len(decoded) - tone.shape[1]) < 4096
    spectrum = np.abs(np.fft.rfft(decoded[44_100:88_200]))
    assert spectrum.argmax() == 440


def test_health_names_clipping_silence_and_what_is_no_number():
    clipped, silent, broken = Health(), Health(), Health()
    clipped.watch(np.clip(8 * noise(1), -1, 1))
    silent.watch(np.full((1000, 1), 0.25, np.float32))
    holed = noise(1)
    holed[100:110] = np.nan
    mended = broken.watch(holed)
    assert [health.findings()[0].kind for health in (clipped, silent, broken)] == ["clipped", "silent", "nan"]
    assert np.isfinite(mended).all()
    assert broken.broken == [(100, 110)]


MEMORY = """
import sys
import numpy as np
from beats_trainer.embed.encode import Gathering
from beats_trainer.table.rows import Row
from beats_trainer.embed.run import Run
from beats_trainer.table.settings import Settings
from beats_trainer.recordings.sources import find_sources

class Nothing:
    settings, gathering = Settings("none", "0" * 64, 768, (12,)), Gathering(160_000)
    def __call__(self, clips):
        return ((clip, [Row(clip, None, np.zeros((1, 768), np.float32))]) for clip in clips)

Run(find_sources([sys.argv[1]]), Nothing(), sys.argv[2])()
with open("/proc/self/status") as file:
    print(next(line for line in file if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_length_of_a_recording(record, tmp_path):
    peaks = []
    for minutes in (4, 40):
        path = record(f"{minutes}.wav", 60 * minutes, 16_000)
        command = [sys.executable, "-c", MEMORY, str(path), str(tmp_path / f"t{minutes}")]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] - peaks[0] < 60_000, peaks
