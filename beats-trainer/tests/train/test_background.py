"""Noise that is mixed into clips: how loud it is, where it comes from, and what gives none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.background import background_of, mix_noise
from beats_trainer.train.examples import join_labels, read_clips
from beats_trainer.train.settings import TrainSettings
from learning import RATE, call, clouds, write_clips


@pytest.fixture
def train(tmp_path):
    vectors, recordings, labels = clouds(10)
    return join_labels(read_clips(write_clips(tmp_path / "t.parquet", vectors, recordings)), labels)


def drawn(background, count):
    """What is mixed into a clip of ones, over many throws."""
    clip = np.ones(RATE, np.float32)
    return [mix_noise(clip, background, np.random.default_rng(seed)) - clip for seed in range(count)]


def test_about_half_of_the_clips_get_noise_within_its_bounds(tmp_path, train):
    soundfile.write(tmp_path / "stream.wav", call("", 1, seconds=3.0), RATE)
    noise = [np.square(one).mean() for one in drawn(background_of(str(tmp_path), train, None), 200)]
    loud = 10 * np.log10([one for one in noise if one])
    assert 70 < len(loud) < 130
    assert -20.01 < loud.min() < -15  # 20 dB softer than the clip
    assert 0 < loud.max() < 5.01  # 5 dB louder


def test_a_recording_shorter_than_the_clip_goes_round(tmp_path, train):
    soundfile.write(tmp_path / "click.wav", call("robin", 1, seconds=0.25), RATE)
    found = background_of(str(tmp_path), train, None)(RATE, np.random.default_rng(0))
    assert np.array_equal(found[: RATE // 4], found[RATE // 4 : RATE // 2])
    assert len(found) == RATE


def test_negatives_are_those_that_are_known_to_hold_no_label(train):
    known = np.arange(30) % 3 == 0
    quiet = replace(train, targets=train.targets * ~known[:, None])
    quiet.weights[3] = 0.05  # nobody said so
    heard = set()

    def sounds(row):
        heard.add(row)
        return np.full(RATE, 0.1, np.float32)

    drawn(background_of("negatives", quiet, sounds), 300)
    assert heard == set(np.flatnonzero(known).tolist()) - {3}


def test_without_negatives_or_by_choice_there_is_none(train):
    assert background_of("negatives", train, None) is None
    assert background_of("none", train, None) is None


def test_silence_is_mixed_with_nothing(tmp_path, train):
    soundfile.write(tmp_path / "stream.wav", call("", 1), RATE)
    background, silence = background_of(str(tmp_path), train, None), np.zeros(RATE, np.float32)
    assert not any(mix_noise(silence, background, np.random.default_rng(i)).any() for i in range(20))


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_that_gives_no_noise_is_refused(tmp_path, train, made):
    folder = tmp_path / "noise"
    if made:
        folder.mkdir()
    with pytest.raises(LabelsError, match=r"train\.noise is .*gives no noise.*Correct --noise"):
        background_of(str(folder), train, None)


@pytest.mark.parametrize(
    ("value", "expected"), [("", "negatives, none, or a folder"), (3, "a word or a folder")]
)
def test_what_is_no_noise_is_refused(value, expected):
    with pytest.raises(LabelsError, match=expected):
        TrainSettings(noise=value)
