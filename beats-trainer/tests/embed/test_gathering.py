from __future__ import annotations

import numpy as np
import pytest
from beats_trainer.embed.encode import Gathering
from beats_trainer.recordings.metadata import Deployment
from beats_trainer.recordings.reading import Clip, Ended
from beats_trainer.recordings.recording_facts import RecordingFacts

GATHERING = Gathering(clip=160_000, full_s=80.0, mixed_s=320.0)


def clip(seconds, tracks=1):
    return Clip(
        "a.wav", 0, 0.0, seconds, Deployment(), np.zeros((round(seconds * 16_000), tracks), np.float32)
    )


def test_eight_full_clips_make_a_call_and_four_times_as_much_of_others():
    assert 8 * GATHERING.share(clip(10)) == pytest.approx(1)
    assert 64 * GATHERING.share(clip(5)) == pytest.approx(1)


def test_every_channel_that_is_embedded_counts():
    assert GATHERING.share(clip(10, tracks=4)) == pytest.approx(0.5)


def test_what_is_not_embedded_makes_nothing():
    assert GATHERING.share(Clip("a.wav", 0, 0.0, 10.0, Deployment(), None)) == 0
    assert GATHERING.share(Ended("a.wav", RecordingFacts(size=0))) == 0
