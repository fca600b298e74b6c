from __future__ import annotations

import copy

import pytest
import torch
from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.encoder.batches import embed
from beats_trainer.encoder.fast import kernels
from beats_trainer.encoder.fast.convolution import BlockConvolution
from beats_trainer.encoder.fast.encoder import FastEncoder
from beats_trainer.encoder.model import BEATs, fast_encoder
from golden_data import CLIPS, TINY, base_model, tiny_model
from torch import nn
from torch.nn import functional

FILE = "BEATs_iter3_plus_AS2M.pt"
CLIP = torch.from_numpy(CLIPS["synthetic0_16000"]).unsqueeze(0)


def _fresh() -> BEATs:
    return build(read_checkpoint(TINY / FILE), "cpu")


def _plain(model: BEATs, waveform: torch.Tensor, layers: list[int] | None = None) -> list[torch.Tensor]:
    """What the documented operators alone make of it: with gradients on, nothing else is used."""
    with torch.enable_grad():
        return [hidden.detach() for hidden in model.hidden(waveform, layers)]


@pytest.fixture(params=["public", "onednn"])
def either_kernel(request, monkeypatch) -> str:
    if request.param == "onednn" and not torch.backends.mkldnn.is_available():
        pytest.skip("this build of torch has no oneDNN")
    monkeypatch.setenv(kernels.VARIABLE, request.param)
    return request.param


@pytest.mark.parametrize("samples", [2_800, 16_000, 160_000, 480_000])
def test_the_fast_form_equals_the_plain_one_in_every_layer(either_kernel, samples):
    model = tiny_model(FILE)
    waveform = torch.randn(2, samples, generator=torch.Generator().manual_seed(samples)) * 0.1

    with torch.inference_mode():
        fast = model.hidden(waveform)

    for ours, plain in zip(fast, _plain(model, waveform), strict=True):
        torch.testing.assert_close(ours, plain, rtol=0, atol=2e-5)


def test_the_fast_form_of_the_full_encoder_equals_the_plain_one(either_kernel):
    with torch.inference_mode():
        fast = base_model()(CLIP)

    torch.testing.assert_close(fast, _plain(base_model(), CLIP, [-1])[0], rtol=0, atol=2e-5)


@pytest.mark.parametrize("kernel", ["public", "onednn"])
def test_the_kernels_that_were_asked_for_are_used(monkeypatch, kernel):
    monkeypatch.setenv(kernels.VARIABLE, kernel)
    layer = kernels.fastest_linear(torch.randn(8, 16), torch.randn(8))

    assert isinstance(layer, kernels.OneDnnLinear if kernel == "onednn" else kernels.PublicLinear)


def test_an_unknown_kernel_is_refused(monkeypatch):
    monkeypatch.setenv(kernels.VARIABLE, "cuda")

    with pytest.raises(ValueError, match="BEATS_KERNELS is 'cuda'; expected auto, public or onednn"):
        kernels.chosen_kernels()


def test_a_torch_without_the_operators_falls_back_to_the_public_ones(monkeypatch):
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    monkeypatch.setattr(kernels.OneDnnLinear, "__init__", _absent)
    monkeypatch.setattr(kernels, "_has_avx512", lambda: True)
    kernels._probed.cache_clear()

    assert kernels.chosen_kernels() == "public"
    kernels._probed.cache_clear()


def _absent(*_: object) -> None:
    message = "'_OpNamespace' 'mkldnn' object has no attribute '_reorder_linear_weight'"
    raise AttributeError(message)


def test_an_operator_that_computes_something_else_is_not_used(monkeypatch):
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    honest = kernels.OneDnnLinear.__call__
    monkeypatch.setattr(kernels.OneDnnLinear, "__call__", lambda *a, **k: honest(*a, **k) + 0.01)
    monkeypatch.setattr(kernels, "_has_avx512", lambda: True)
    kernels._probed.cache_clear()

    assert kernels.chosen_kernels() == "public"
    kernels._probed.cache_clear()


@pytest.mark.parametrize(("capability", "chosen"), [("AVX512", "onednn"), ("AVX2", "public")])
def test_the_processor_and_nothing_else_decides_between_the_kernels(monkeypatch, capability, chosen):
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(kernels, "_seconds", lambda run: pytest.fail("the choice was timed"))
    kernels._probed.cache_clear()

    found = kernels.chosen_kernels()

    kernels._probed.cache_clear()
    assert found == (chosen if torch.backends.mkldnn.is_available() else "public")


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build of torch has no oneDNN")
def test_the_kernels_are_probed_once(monkeypatch):
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    races = []
    monkeypatch.setattr(kernels, "_has_avx512", lambda: True)
    monkeypatch.setattr(kernels, "_difference", lambda dtype: float(races.append(dtype) is not None))
    kernels._probed.cache_clear()

    chosen = {kernels.chosen_kernels() for _ in range(3)}

    kernels._probed.cache_clear()
    assert (chosen, races) == ({"onednn"}, [torch.float32])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_probe_tells_rounding_from_an_operator_that_is_wrong(monkeypatch, dtype):
    if not kernels.can_onednn(dtype):
        pytest.skip("this processor or this build of torch has no oneDNN in this precision")
    right = kernels._difference(dtype)
    honest = kernels.OneDnnLinear.__call__
    monkeypatch.setattr(kernels.OneDnnLinear, "__call__", lambda *a, **k: honest(*a, **k) * 1.1)

    wrong = kernels._difference(dtype)

    assert right < kernels._PROBE_TOLERANCE[dtype] < wrong


def test_kernels_that_this_machine_has_not_are_refused_by_name(monkeypatch):
    monkeypatch.setenv(kernels.VARIABLE, "onednn")
    monkeypatch.setattr(kernels, "can_onednn", lambda dtype: dtype == torch.float32)
    kernels._refuse_missing.cache_clear()

    assert kernels.chosen_kernels() == "onednn"
    with pytest.raises(ValueError, match=r"no such kernels in torch.bfloat16. Take auto, or public"):
        kernels.chosen_kernels(torch.bfloat16)
    kernels._refuse_missing.cache_clear()


def test_each_precision_has_kernels_of_its_own(monkeypatch):
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    monkeypatch.setattr(kernels, "_has_avx512", lambda: True)
    monkeypatch.setattr(kernels, "_difference", lambda dtype: float(dtype == torch.float32))
    kernels._probed.cache_clear()

    chosen = [kernels.chosen_kernels(dtype) for dtype in (torch.float32, torch.bfloat16)]

    kernels._probed.cache_clear()
    if torch.backends.mkldnn.is_available():
        assert chosen == ["public", "onednn"]


@pytest.mark.skipif(not kernels.can_onednn(torch.bfloat16), reason="no oneDNN in bfloat16 here")
@pytest.mark.parametrize("rows", [1, 256, 385, 513, 1_280, 1_281])
def test_a_product_in_parts_is_the_product(monkeypatch, rows):
    generator = torch.Generator().manual_seed(rows)
    weight, x = (torch.randn(n, 64, generator=generator).bfloat16() for n in (48, rows))
    add, bias = torch.randn(rows, 48, generator=generator), torch.randn(48, generator=generator).bfloat16()
    layer = kernels.OneDnnLinear(weight, bias)
    expected = add + functional.linear(x.float(), weight.float(), bias.float())

    for pays in (False, True):
        monkeypatch.setattr(kernels, "_parts_pay", lambda threads, pays=pays: pays)
        torch.testing.assert_close(layer(x, add=add), expected, rtol=0, atol=0.2)
    assert torch.equal(layer.added(x, add, 100), layer.added(x, add, rows))


def test_one_thread_computes_no_parts():
    assert kernels._parts_pay(1) is False


@pytest.mark.parametrize(("patches", "width"), [(8, 16), (129, 128), (496, 128), (300, 400), (40, 7)])
def test_the_convolution_by_blocks_is_the_convolution(patches, width):
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(48, 12, width, generator=generator), torch.randn(48, generator=generator)
    x = torch.randn(3, patches, 48, generator=generator)

    ours = BlockConvolution(weight, bias)(x)

    full = functional.conv1d(x.transpose(1, 2), weight, bias, padding=width // 2, groups=4)
    torch.testing.assert_close(ours, full.transpose(1, 2)[:, :patches], rtol=1e-4, atol=1e-4)


def test_changed_weights_are_noticed():
    model = _fresh()
    with torch.inference_mode():
        before = model(CLIP)
    with torch.no_grad():
        model.encoder.layers[0].fc1.weight.mul_(1.5)

    with torch.inference_mode():
        after = model(CLIP)

    assert not torch.allclose(before, after, atol=1e-3)
    torch.testing.assert_close(after, _plain(model, CLIP, [-1])[0], rtol=0, atol=2e-5)


def test_a_part_that_was_replaced_is_used_as_it_is():
    class Doubled(nn.Module):
        def __init__(self, inner: nn.Linear) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * self.inner(x)

    model = _fresh()
    model.encoder.layers[0].fc2 = Doubled(model.encoder.layers[0].fc2)

    with torch.inference_mode():
        assert fast_encoder(model) is None
        ours = model(CLIP)

    assert not torch.allclose(ours, tiny_model(FILE)(CLIP).detach(), atol=1e-3)


def test_hooks_are_called():
    model = _fresh()
    seen = []
    model.encoder.layers[1].register_forward_hook(lambda *_: seen.append(1))

    embed(model, list(CLIP))

    assert seen == [1]


def test_the_fast_form_is_for_inferring_on_a_cpu_alone():
    model = _fresh()

    with torch.inference_mode():
        assert isinstance(fast_encoder(model), FastEncoder)
        assert fast_encoder(model) is fast_encoder(model)
        assert fast_encoder(model.double()) is None
        assert fast_encoder(_fresh().train()) is None
    assert fast_encoder(_fresh()) is None


def test_a_model_that_has_run_can_be_copied_and_saved(tmp_path):
    model = _fresh()
    with torch.inference_mode():
        expected = model(CLIP)
        again = copy.deepcopy(model)(CLIP)

    torch.save(model.state_dict(), tmp_path / "weights.pt")

    assert torch.equal(expected, again)
    assert build(read_checkpoint(tmp_path / "weights.pt"), "cpu").n_layers == 2


def test_running_never_sets_the_number_of_threads():
    before = torch.get_num_threads(), torch.get_num_interop_threads()

    embed(_fresh(), list(CLIP))

    assert (torch.get_num_threads(), torch.get_num_interop_threads()) == before
