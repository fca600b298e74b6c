from __future__ import annotations

import numpy as np
import pytest
import torch
from beats_trainer.encoder.batches import embed, plan_passes
from golden_data import CLIPS, base_model, tiny_model
from hypothesis import given, settings
from hypothesis import strategies as st

FILE = "BEATs_iter3_plus_AS2M.pt"


def _noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([samples, seed]).standard_normal(samples).astype(np.float32) * 0.1


@given(st.lists(st.integers(8, 2000), max_size=40), st.integers(1, 1000))
def test_a_plan_holds_every_clip_once_and_only_equals_together(patches, limit):
    groups = plan_passes(patches, limit)

    assert sorted(i for group in groups for i in group) == list(range(len(patches)))
    for group in groups:
        assert len({patches[i] for i in group}) == 1
        assert len(group) == 1 or sum(patches[i] for i in group) <= limit


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.integers(2_800, 480_000), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_an_embedding_depends_neither_on_its_neighbours_nor_on_their_order(lengths, shuffler):
    model = tiny_model(FILE)
    clips = [_noise(length, i) for i, length in enumerate(lengths)]
    order = shuffler.sample(range(len(clips)), len(clips))

    together = embed(model, [clips[i] for i in order])[0]

    for position, i in enumerate(order):
        alone = embed(model, [clips[i]])[0][0]
        torch.testing.assert_close(together[position], alone, rtol=0, atol=2e-5)


def test_clips_of_1_to_30_seconds_together_equal_themselves_alone_in_the_base_encoder():
    clips = [_noise(int(s * 16_000)) for s in (1, 30, 3, 1, 3.01)]

    together = embed(base_model(), clips)[0]

    for clip, ours in zip(clips, together, strict=True):
        torch.testing.assert_close(ours, embed(base_model(), [clip])[0][0], rtol=0, atol=2e-5)


@settings(deadline=None, max_examples=12)
@given(st.integers(2_800, 480_000))
def test_float32_float64_and_int16_samples_of_one_waveform_give_one_embedding(length):
    model = tiny_model(FILE)
    int16 = (_noise(length) * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
    float64 = int16.astype(np.float64) / 2**15

    from_int16, from_float32, from_float64 = (
        embed(model, [clip])[0][0] for clip in (int16, float64.astype(np.float32), float64)
    )

    assert torch.equal(from_int16, from_float32)
    assert torch.equal(from_int16, from_float64)


def test_samples_after_the_last_whole_patch_change_nothing():
    clip = CLIPS["synthetic2_48000"]  # 298 frames, of which 288 fill patches: 46,320 samples
    changed = clip.copy()
    changed[46_320:] = 1.0

    first, second = embed(tiny_model(FILE), [clip, changed])[0]

    assert torch.equal(first, second)
    changed[46_319] = 1.0
    assert not torch.equal(first, embed(tiny_model(FILE), [changed])[0][0])


def test_a_very_long_clip_is_embedded_whole_and_said_to_be_slow(caplog, monkeypatch):
    monkeypatch.setattr("beats_trainer.encoder.batches.LONG", 1_000)
    clip = _noise(16_000 * 40)

    ours = embed(tiny_model(FILE), [clip])[0][0]

    assert torch.isfinite(ours).all()
    assert "40 s" in caplog.text
    assert "beats embed" in caplog.text


@pytest.mark.parametrize("limit", [8, 100, 5000])
def test_how_many_go_together_changes_nothing(limit):
    clips = [_noise(16_000, i) for i in range(5)]

    ours = embed(tiny_model(FILE), clips, limit=limit)[0]

    reference = embed(tiny_model(FILE), clips)[0]
    torch.testing.assert_close(torch.stack(ours), torch.stack(reference), rtol=0, atol=2e-5)
