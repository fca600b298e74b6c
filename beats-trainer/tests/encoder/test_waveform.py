from __future__ import annotations

import numpy as np
import pytest
import torch
from beats_trainer.encoder.waveform import as_batch
from beats_trainer.errors import WaveformError
from beats_trainer.sampling import SHORTEST
from golden_data import CLIPS, tiny_model

FILE = "BEATs_iter3_plus_AS2M.pt"


def test_empty_audio_is_refused():
    with pytest.raises(WaveformError, match="empty"):
        as_batch(np.zeros(0, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_counted_and_refused(bad):
    clip = CLIPS["synthetic0_16000"].copy()
    clip[[5, 70]] = bad

    with pytest.raises(WaveformError, match="2 of 16000 samples are NaN or infinite"):
        as_batch(clip)


def test_less_than_one_patch_is_refused_with_both_lengths_and_the_way_out():
    with pytest.raises(WaveformError, match=r"2799 samples.*2800.*short=\"pad\""):
        as_batch(np.zeros(2799, np.float32))
    assert as_batch(np.zeros(2800, np.float32)).shape == (1, SHORTEST)


def test_less_than_one_patch_is_padded_with_silence_when_asked():
    clip = CLIPS["synthetic0_16000"][:1000]
    padded = np.concatenate([clip, np.zeros(1800, np.float32)])

    ours = tiny_model(FILE)(clip, short="pad")

    assert torch.equal(ours, tiny_model(FILE)(padded))


@pytest.mark.parametrize("shape", [(1, 2, 16_000), ()])
def test_wrong_shapes_are_named(shape):
    with pytest.raises(WaveformError, match=r"expected \(samples,\) or \(batch, samples\)"):
        as_batch(np.zeros(shape, np.float32))


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.bool_])
def test_integers_whose_scale_is_unknown_are_refused(dtype):
    with pytest.raises(WaveformError, match="Divide by the full scale"):
        as_batch(np.zeros(16_000, dtype))


def test_a_waveform_with_its_rate_is_no_waveform():
    with pytest.raises(WaveformError, match="Not a waveform: tuple"):
        as_batch((np.zeros(16_000, np.float32), 16_000))


def test_waveforms_of_different_lengths_point_to_the_batch_method():
    with pytest.raises(WaveformError, match="extract_from_batch"):
        as_batch([np.zeros(16_000, np.float32), np.zeros(8_000, np.float32)])
