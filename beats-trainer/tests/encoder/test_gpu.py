from __future__ import annotations

import pytest
import torch
from beats_trainer.checkpoint.build import pick_device
from beats_trainer.encoder.batches import embed
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.load import load_model
from golden_data import CLIPS, TINY, reference

FILE = TINY / "BEATs_iter3_plus_AS2M.pt"
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")


def test_without_a_gpu_the_device_that_is_picked_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert pick_device(None) == pick_device("auto") == torch.device("cpu")
    assert BEATsFeatureExtractor(FILE).device.type == "cpu"


def test_a_gpu_that_is_not_there_is_an_error_and_not_the_cpu():
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA GPU")

    with pytest.raises(ValueError, match="There is no device 'cuda' here"):
        load_model(FILE, device="cuda")


@GPU
@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-3), ("bf16", 0.1)])
def test_on_a_gpu_the_features_are_the_originals(precision, bound):
    model = load_model(FILE, device="cuda", precision=precision)
    names = [name for name in CLIPS if name not in ("ambi_choir", "synthetic4_160000")]

    ours = embed(model, [CLIPS[name] for name in names], pooling="none")[0]

    for name, clip in zip(names, ours, strict=True):
        golden = torch.from_numpy(reference("tiny_reference.npz")[f"{FILE.name}/{name}/features"])
        torch.testing.assert_close(clip, golden, rtol=0, atol=bound)
