from __future__ import annotations

import pytest
import torch
from beats_trainer import load
from beats_trainer.encoder.fast import kernels
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.load import load_model
from golden_data import CLIPS, TINY, base_model
from torch.nn import functional

FILE = TINY / "BEATs_iter3_plus_AS2M.pt"


@pytest.fixture
def in_bf16():
    model = base_model()
    model.precision = "bf16"
    yield model
    model.precision = "fp32"


@pytest.mark.parametrize("kernel", ["public", "onednn"])
def test_bfloat16_is_as_near_as_its_docstring_says_and_no_nearer(monkeypatch, in_bf16, kernel):
    if kernel == "onednn" and not kernels.can_onednn(torch.bfloat16):
        pytest.skip("this processor or this build of torch has no oneDNN in bfloat16")
    monkeypatch.setenv(kernels.VARIABLE, kernel)
    clip = CLIPS["ambi_choir"]

    with torch.inference_mode():
        ours = in_bf16(clip)[0]
        in_bf16.precision = "fp32"
        exact = in_bf16(clip)[0]

    assert ours.dtype == torch.float32
    assert 1e-4 < (ours - exact).abs().max() < 0.06
    assert functional.cosine_similarity(ours.mean(0), exact.mean(0), dim=0) > 0.9999


@pytest.mark.parametrize("pays", [True, False])
def test_bfloat16_that_is_slower_here_is_said(monkeypatch, caplog, pays):
    monkeypatch.setattr(load, "bfloat16_pays", lambda: pays)
    load_model(FILE, device="cpu", precision="bf16")
    load_model(FILE, device="cpu")
    assert [record.message.split(" on ")[0] for record in caplog.records] == (
        [] if pays else ["bf16 is slower than fp32"]
    )


def test_the_measure_of_bfloat16_is_one_of_time(monkeypatch):
    for faster in (True, False):
        monkeypatch.setattr(kernels, "_faster", lambda one, other, faster=faster: faster)
        kernels.bfloat16_pays.cache_clear()
        assert kernels.bfloat16_pays() is faster
    kernels.bfloat16_pays.cache_clear()


def test_bfloat16_of_the_plain_form_is_near_too():
    model, exact = (load_model(FILE, device="cpu", precision=p) for p in ("bf16", "fp32"))

    ours = model(CLIPS["synthetic0_16000"]).detach()

    assert ours.dtype == torch.float32
    difference = (ours - exact(CLIPS["synthetic0_16000"]).detach()).abs().max()
    assert 1e-4 < difference < 0.1


def test_the_extractor_hands_the_precision_on():
    assert BEATsFeatureExtractor(FILE, "cpu", precision="bf16").model.precision == "bf16"


def test_an_unknown_precision_is_refused_before_anything_is_read():
    with pytest.raises(ValueError, match="no precision 'int8'; there are fp32, bf16"):
        load_model("nowhere.pt", precision="int8")
