from __future__ import annotations

import pytest
import torch
from beats_trainer.encoder.fast import attention


def _inputs(batch: int, patches: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(patches)
    shape = (batch, 3, patches, 16)
    query, key, value = (torch.randn(shape, generator=generator) for _ in range(3))
    gate = torch.rand(batch, 3, patches, 1, generator=generator) + 0.5
    return [query, key, value, gate, torch.randn(3, 2 * patches - 1, generator=generator)]


def _in_float64(query, key, value, gate, diagonals):
    patches = query.shape[2]
    distance = torch.arange(patches).unsqueeze(0) - torch.arange(patches).unsqueeze(1)
    bias = diagonals.double()[:, distance + patches - 1]
    scores = query.double() @ key.double().transpose(2, 3) + gate.double() * bias
    return (scores.softmax(-1) @ value.double()).transpose(1, 2)


@pytest.mark.parametrize("form", ["at once", "by heads"])
@pytest.mark.parametrize(("batch", "patches"), [(1, 8), (3, 48), (2, 200)])
def test_both_forms_are_attention_with_a_gated_bias(monkeypatch, form, batch, patches):
    monkeypatch.setattr(attention, "AT_ONCE", {torch.float32: 1000 if form == "at once" else 0})
    monkeypatch.setattr(attention, "SCORES", 3 * 200 * 60)  # so that clips, heads and queries are cut up
    query, key, value, gate, diagonals = _inputs(batch, patches)

    ours = attention.mix_values(query, key, value, gate, attention.turn_diagonals(diagonals, patches))

    exact = _in_float64(query, key, value, gate, diagonals)
    torch.testing.assert_close(ours.double(), exact, rtol=0, atol=5e-6)


@pytest.mark.parametrize("most", [0, 1000])
def test_in_bfloat16_both_forms_are_as_near_as_its_rounding(monkeypatch, most):
    monkeypatch.setattr(attention, "AT_ONCE", {torch.bfloat16: most})
    *inputs, gate, diagonals = _inputs(2, 64)
    query, key, value = (x.bfloat16() for x in inputs)

    ours = attention.mix_values(query, key, value, gate, attention.turn_diagonals(diagonals, 64))

    assert ours.dtype == torch.bfloat16
    exact = _in_float64(query, key, value, gate, diagonals)
    assert (ours.double() - exact).abs().max() < 0.03
