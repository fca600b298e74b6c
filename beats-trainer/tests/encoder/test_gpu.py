from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from beats_trainer.checkpoint.build import pick_device
from beats_trainer.encoder.batches import embed
from beats_trainer.encoder.full_precision import exact_convolutions
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.load import load_model
from golden_data import CLIPS, TINY, base_model, energies, reference

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
@pytest.mark.parametrize("clip", CLIPS)
def test_on_a_gpu_the_features_are_the_originals(clip):
    """From the original's filter bank, whose logarithm of near silence is another with every FFT."""
    golden = reference("base_by_recipe.npz")[f"{clip}/features"]
    model = deepcopy(base_model()).to("cuda")

    with torch.inference_mode():
        ours = model.encode(energies(clip).to("cuda"), [-1])[0][0].cpu()

    torch.testing.assert_close(ours, torch.from_numpy(golden), rtol=0, atol=1e-4)


@GPU
def test_on_a_gpu_bf16_stays_near():
    model = load_model(FILE, device="cuda", precision="bf16")
    names = [name for name in CLIPS if name not in ("ambi_choir", "synthetic4_160000")]

    ours = embed(model, [CLIPS[name] for name in names], pooling="none")[0]

    for name, clip in zip(names, ours, strict=True):
        golden = torch.from_numpy(reference("tiny_reference.npz")[f"{FILE.name}/{name}/features"])
        torch.testing.assert_close(clip, golden, rtol=0, atol=0.1)


@GPU
def test_the_switch_of_rounding_is_left_as_it_was():
    before = torch.backends.cudnn.allow_tf32
    with exact_convolutions(torch.device("cuda")):
        sound, weight = torch.randn(1, 64, 500).cuda(), torch.randn(64, 64, 9).cuda()
        exact = torch.nn.functional.conv1d(sound, weight)
    assert torch.backends.cudnn.allow_tf32 == before
    wanted = torch.nn.functional.conv1d(sound.double(), weight.double())
    assert (exact - wanted).abs().max() < 1e-3


def test_a_cpu_has_no_such_switch_to_turn():
    before = torch.backends.cudnn.allow_tf32
    with exact_convolutions(torch.device("cpu")):
        assert torch.backends.cudnn.allow_tf32 == before
