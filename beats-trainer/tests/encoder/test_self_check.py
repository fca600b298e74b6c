from __future__ import annotations

import pytest
import torch
from beats_trainer.encoder.self_check import check_encoder
from beats_trainer.errors import CheckpointError
from beats_trainer.load import load_model
from golden_data import TINY, tiny_model

FILE = "BEATs_iter3_plus_AS2M.pt"


def _saved(tmp_path, change):
    content = torch.load(TINY / FILE, weights_only=True)
    change(content["model"])
    torch.save(content, tmp_path / "changed.pt")
    return tmp_path / "changed.pt"


def test_an_encoder_that_works_passes():
    check_encoder(tiny_model(FILE))


def test_weights_that_are_not_finite_are_named_when_they_are_loaded(tmp_path):
    path = _saved(tmp_path, lambda w: w["encoder.layers.1.fc2.bias"].fill_(float("nan")))

    with pytest.raises(CheckpointError, match=r"not finite: encoder\.layers\.1\.fc2\.bias"):
        load_model(path, device="cpu")


def test_weights_that_overflow_are_noticed_when_they_are_loaded(tmp_path):
    path = _saved(tmp_path, lambda w: w["encoder.layers.1.final_layer_norm.weight"].fill_(3e38))

    with pytest.raises(CheckpointError, match="patch embeddings of noise that are not finite"):
        load_model(path, device="cpu")


def test_an_encoder_that_says_the_same_of_everything_is_noticed(tmp_path):
    path = _saved(tmp_path, lambda w: w["encoder.layers.1.final_layer_norm.weight"].fill_(0))

    with pytest.raises(CheckpointError, match="the same embedding for every patch"):
        load_model(path, device="cpu")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder.layers.1.self_attn.grep_a", float("inf")),
        ("encoder.layers.0.self_attn.relative_attention_bias.weight", float("nan")),
        ("encoder.layers.0.fc1.weight", float("-inf")),
        ("encoder.pos_conv.0.weight_v", float("nan")),
    ],
)
@pytest.mark.parametrize("small", [0, 10**9])
def test_one_number_that_is_not_finite_is_noticed_whatever_is_looked_at_first(
    tmp_path, monkeypatch, name, value, small
):
    def spoil(weights):
        weights[name].view(-1)[-1] = value
        for other in weights:  # files hold the one table once a layer
            if "relative_attention_bias" in name and "relative_attention_bias" in other:
                weights[other].copy_(weights[name])

    path = _saved(tmp_path, spoil)
    if "relative_attention_bias" not in name and "grep_a" not in name:
        monkeypatch.setattr("beats_trainer.encoder.self_check.SMALL", small)

    with pytest.raises(CheckpointError, match=r"not finite|different relative biases"):
        load_model(path, device="cpu")
