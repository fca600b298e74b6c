"""Every suffix that `beats embed` looks for in a folder is decoded."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from beats_trainer.audio.decode import FFMPEG_SUFFIXES, SOUNDFILE_SUFFIXES, open_recording
from sounds import noise

LIBSNDFILE = {
    ".wav": ("WAV", "PCM_24"), ".bwf": ("WAV", "PCM_16"), ".w64": ("W64", "PCM_16"),
    ".rf64": ("RF64", "FLOAT"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS"),
    ".oga": ("OGG", "VORBIS"), ".opus": ("OGG", "OPUS"), ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".aif": ("AIFF", "PCM_16"), ".aiff": ("AIFF", "FLOAT"), ".aifc": ("AIFF", "ULAW"),
    ".caf": ("CAF", "ALAC_16"), ".au": ("AU", "PCM_16"), ".snd": ("AU", "ULAW"),
}  # fmt: skip
FFMPEG = {  # codec, rate, container
    ".mp2": ("mp2", 48_000, "mp2"), ".m4a": ("aac", 44_100, "mp4"), ".aac": ("aac", 44_100, "adts"),
    ".mp4": ("aac", 44_100, "mp4"), ".m4v": ("aac", 44_100, "mp4"), ".mov": ("aac", 44_100, "mov"),
    ".mkv": ("flac", 44_100, "matroska"), ".mka": ("libopus", 48_000, "matroska"),
    ".webm": ("libopus", 48_000, "webm"), ".avi": ("libmp3lame", 44_100, "avi"),
    ".wma": ("wmav2", 44_100, "asf"), ".wmv": ("wmav2", 44_100, "asf"),
    ".amr": ("libopencore_amrnb", 8_000, "amr"), ".3gp": ("aac", 44_100, "3gp"),
    ".ac3": ("ac3", 48_000, "ac3"), ".ts": ("mp2", 48_000, "mpegts"),
}  # fmt: skip
SECONDS = 1.5


def write_with_ffmpeg(path, codec, rate, container):
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout, stream.bit_rate = "mono", 64_000
        try:
            stream.codec_context.open()
        except av.FFmpegError as error:
            pytest.skip(f"this FFmpeg does not encode {codec}: {error}")
        size = stream.codec_context.frame_size or None
        fit = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=size)
        frame = av.AudioFrame.from_ndarray(noise(SECONDS, rate).T.copy(), format="fltp", layout="mono")
        frame.rate, frame.pts = rate, 0
        for part in [*fit.resample(frame), *fit.resample(None), None]:
            file.mux(stream.encode(part))


@pytest.mark.parametrize("suffix", sorted(SOUNDFILE_SUFFIXES | FFMPEG_SUFFIXES))
def test_every_suffix_is_decoded_to_its_length(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    if suffix in LIBSNDFILE:
        container, subtype = LIBSNDFILE[suffix]
        soundfile.write(path, noise(SECONDS, 48_000), 48_000, format=container, subtype=subtype)
    else:
        write_with_ffmpeg(path, *FFMPEG[suffix])
    with open_recording(path) as recording:
        samples = np.concatenate(list(recording.blocks))
        assert len(samples) / recording.sample_rate == pytest.approx(SECONDS, abs=0.06)
    assert samples.shape[1] == 1
    assert 0.05 < samples.std() < 0.2
