"""What samples show to be wrong, channel by channel."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from beats_trainer.audio.health import LOUDEST, Health
from beats_trainer.table.table import read_table
from sounds import noise


def found(samples, blocks=3):
    health = Health()
    for block in np.array_split(np.asarray(samples, np.float32), blocks):
        health.watch(block)
    return [finding.kind for finding in health.findings()]


def sine(amplitude, hz=50.0, seconds=2):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(seconds * 16_000) / 16_000))[:, None]


SOUND = noise(2)
CHANNELS = {
    "two alike": (np.c_[SOUND, SOUND], []),
    "two of their own": (noise(2, channels=2), []),
    "one dead": (np.c_[SOUND, np.zeros_like(SOUND)], ["dead_channel"]),
    "one dead at a level": (np.c_[SOUND, np.full_like(SOUND, 0.3)], ["dead_channel", "offset"]),
    "one against the other": (np.c_[SOUND, -SOUND], ["cancelling"]),
    "one against the other, almost": (np.c_[SOUND, -0.9 * SOUND], ["cancelling"]),
    "one against the other, on an offset": (np.c_[SOUND + 0.05, -SOUND + 0.05], ["cancelling"]),
    "four, in pairs against each other": (np.c_[SOUND, -SOUND, SOUND, -SOUND], ["cancelling"]),
    "a supply that reached the converter": (SOUND + 0.5, ["offset"]),
    "none alive": (np.zeros((100, 2)), ["silent"]),
    "one, alone": (SOUND, []),
}


@pytest.mark.parametrize(("samples", "kinds"), CHANNELS.values(), ids=CHANNELS)
def test_channels_that_are_dead_or_cancel_each_other_are_told(samples, kinds):
    assert found(samples) == kinds


LEVELS = {
    "a float sine beyond full scale": (sine(3.0), []),
    "a float sine that was cut off beyond full scale": (np.clip(sine(3.0), -2, 2), ["clipped"]),
    "a sine at full scale": (sine(1.0), []),
    "a sine that was cut off at full scale": (np.clip(sine(3.0), -1, 1), ["clipped"]),
    "one side of it": (np.clip(sine(1.1), -1, None), ["clipped"]),
    "noise that was cut off below full scale": (np.clip(sine(3.0), -0.995, 0.995), ["clipped"]),
    "a level below": (np.clip(sine(3.0), -0.5, 0.5), []),
}


@pytest.mark.parametrize(("samples", "kinds"), LEVELS.values(), ids=LEVELS)
def test_clipped_means_stuck_and_not_loud(samples, kinds):
    assert found(samples) == kinds


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 10 * LOUDEST, -3e38])
def test_what_is_no_sound_is_found_and_comes_back_as_silence(bad):
    samples = noise(1, channels=2)
    samples[5_000, 1] = bad
    health = Health()
    mended = health.watch(samples)
    assert (health.broken, mended[5_000, 1]) == ([(5_000, 5_001)], 0)
    assert health.broken_within(0.3, 0.4, 16_000)
    assert not health.broken_within(0.5, 1.0, 16_000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("level", [1e20, 3e38])
def test_numbers_without_bounds_are_named_and_make_no_row(run, tmp_path, channels, level):
    (tmp_path / "rec").mkdir()
    loud = np.full((48_000, channels), level, np.float32) * np.sign(noise(3, channels=channels))
    soundfile.write(tmp_path / "rec" / "loud.wav", loud, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "rec" / "good.wav", noise(3), 16_000)

    outcome = run(tmp_path / "t", tmp_path / "rec")

    status = {line.recording.rpartition("/")[2]: (line.status, line.embedded) for line in outcome.lines}
    assert status["good.wav"] == ("ok", "yes")
    assert status["loud.wav"][1] == "no"
    assert "nan" in status["loud.wav"][0].split()
    assert np.isfinite(read_table(tmp_path / "t").embeddings).all()


def test_a_clip_of_which_the_encoder_makes_no_numbers_is_left_out_and_named(run, record, tmp_path, encoding):
    from beats_trainer.embed.run import Run
    from beats_trainer.recordings.sources import find_sources
    from beats_trainer.table.rows import Row

    honest = encoding()

    class Overflowing:
        settings, gathering = honest.settings, honest.gathering

        def __call__(self, clips):
            for clip, rows in honest(clips):
                bad = clip.index == 1
                yield clip, [Row(r.clip, r.channel, r.vectors * np.inf if bad else r.vectors) for r in rows]

    outcome = Run(find_sources([record("a.wav")]), Overflowing(), tmp_path / "t")()

    (line,) = outcome.lines
    assert (line.status, line.embedded, line.facts.left_out) == ("nan", "partly", 1)
    assert list(read_table(tmp_path / "t").start_s) == [0.0, 2.0]
