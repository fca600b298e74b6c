from __future__ import annotations

import pytest
import torch
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
    tiny_model(FILE).check()


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
