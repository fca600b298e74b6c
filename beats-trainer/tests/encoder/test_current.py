"""Weights that were changed, by whatever means, are those that the next call computes with."""

from __future__ import annotations

import copy
import ctypes
import gc
import operator
import os
import weakref
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.encoder.attention import Attention
from beats_trainer.encoder.fast.encoder import FastEncoder
from beats_trainer.encoder.layers import Layer
from beats_trainer.encoder.model import BEATs, fast_encoder
from golden_data import CLIPS, TINY
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, vector_to_parameters, weight_norm

CLIP = torch.from_numpy(CLIPS["synthetic0_16000"]).unsqueeze(0)
Change = Callable[[BEATs], Any]  # what it returns is kept while the model runs


def _fresh() -> BEATs:
    return build(read_checkpoint(TINY / "BEATs_iter3_plus_AS2M.pt"), "cpu")


def _run(model: BEATs) -> torch.Tensor:
    with torch.inference_mode():
        return model(CLIP).clone()


def _plain(model: BEATs) -> torch.Tensor:
    with torch.enable_grad():
        return model(CLIP).detach()


def _fc1(model: BEATs, layer: int = 1) -> nn.Linear:
    return model.encoder.layers[layer].fc1


def _all_data(model: BEATs) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(1.05)


def _new_data(model: BEATs) -> None:
    weight = _fc1(model).weight
    weight.data = weight.data * 2


def _data_and_back(model: BEATs) -> None:
    """The memory of before, with other numbers in it: only the contents tell."""
    weight = _fc1(model).weight
    mine, other = weight.data, weight.data.clone()
    weight.data = other
    mine.mul_(3)
    weight.data = mine


def _copied(model: BEATs) -> None:
    with torch.no_grad():
        _fc1(model).weight.copy_(torch.ones(128, 64) / 8)


def _numpy(model: BEATs) -> None:
    _fc1(model).weight.detach().numpy()[:] *= 2


def _kept_dictionary(model: BEATs) -> Any:
    kept = model.state_dict()
    _run(model)
    for value in kept.values():
        value.data.mul_(1.05)
    return kept


def _loaded(model: BEATs) -> None:
    model.load_state_dict({name: value * 1.05 for name, value in model.state_dict().items()})


def _assigned(model: BEATs) -> Any:
    mine = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(mine, assign=True)
    _run(model)
    for value in mine.values():
        value.mul_(1.05)
    return mine


def _vector(model: BEATs) -> Any:
    vector = torch.cat([p.detach().flatten() for p in model.parameters()])
    vector_to_parameters(vector, model.parameters())
    _run(model)
    vector.mul_(1.05)
    return vector


@torch.no_grad()
def _set(model: BEATs) -> None:
    _fc1(model).weight.set_(torch.ones(128, 64) / 8)


def _swapped(model: BEATs) -> None:
    torch.utils.swap_tensors(_fc1(model).weight, nn.Parameter(torch.ones(128, 64) / 8))


def _optimizer(**options: Any) -> Change:
    def change(model: BEATs) -> Any:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, **options)
        model(CLIP).square().sum().backward()
        _run(model)
        optimizer.step()
        return optimizer

    return change


def _weak_average(model: BEATs) -> Any:
    """As averages do that refer to the parameters weakly, between calls."""
    weak = [weakref.ref(parameter) for parameter in model.parameters()]
    _run(model)
    for reference in weak:
        reference().data.mul_(1.05)
    return weak


def _held_before(take: Callable[[nn.Parameter], Any], write: Callable[[Any], object]) -> Change:
    def change(model: BEATs) -> Any:
        taken = take(_fc1(model).weight)
        _run(model)
        write(taken)
        return taken

    return change


def _half_a_loop(model: BEATs) -> Any:
    """A loop over the parameters that goes on after a call."""
    inner = iter(_fc1(model).named_parameters())
    next(inner)
    _run(model)
    next(inner)[1].data.fill_(3.0)
    return inner


def _of_the_dictionary(read: Callable[[dict[str, Any]], Any]) -> Change:
    return lambda model: read(_fc1(model)._parameters).data.mul_(2)


def _other_process(model: BEATs) -> None:
    model.share_memory()
    weight = _fc1(model).weight
    _run(model)
    child = get_context("spawn").Process(target=operator.imul, args=(weight.detach(), 2))
    del weight
    child.start()
    child.join()
    assert child.exitcode == 0


def _own_forward(model: BEATs) -> None:
    linear = _fc1(model)
    linear.forward = lambda x: 2 * nn.functional.linear(x, linear.weight)


def _own_gate(model: BEATs) -> None:
    attention = model.encoder.layers[0].self_attn
    attention.gate = lambda query: 2 * Attention.gate(attention, query)


def _other_part(model: BEATs) -> None:
    model.encoder.layers[1].fc1 = nn.Linear(64, 128)


def _one_layer(model: BEATs) -> None:
    model.encoder.layers[1] = model.encoder.layers[0]


def _own_kind(model: BEATs) -> None:
    class Doubled(Layer):
        def forward(self, hidden: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(hidden, bias)

    model.encoder.layers[1].__class__ = Doubled


def _hook(model: BEATs) -> None:
    _fc1(model).register_forward_hook(lambda _, __, y: 2 * y)


def _pre_hook(model: BEATs) -> None:
    _fc1(model).register_forward_pre_hook(lambda _, x: (2 * x[0],))


def _parametrized(model: BEATs) -> None:
    parametrizations.weight_norm(_fc1(model))
    _run(model)
    _fc1(model).parametrizations.weight.original0.data.mul_(2)


def _unparametrized(model: BEATs) -> None:
    _parametrized(model)
    parametrize.remove_parametrizations(_fc1(model), "weight")


def _old_norm(model: BEATs) -> None:
    weight_norm(_fc1(model))
    _fc1(model).weight_g.data.mul_(2)


def _setting(path: str, name: str, value: Any) -> Change:
    return lambda model: setattr(model.get_submodule(path), name, value)


def _data(path: str) -> Change:
    def change(model: BEATs) -> None:
        values = model.get_parameter(path).data.view(-1)
        values[: len(values) // 2].mul_(3)

    return change


def _of_other_memory(lend: Callable[[np.ndarray], Any]) -> Change:
    """A weight in memory that somebody else lends, and writes to after the model has run."""

    def change(model: BEATs) -> None:
        mine = _fc1(model).weight.detach().numpy().copy()
        own, weight = lend(mine)
        _fc1(model).load_state_dict({"weight": weight, "bias": _fc1(model).bias}, assign=True)
        del weight
        _run(model)
        own[:] *= 2

    return change


def _mapped(mine: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
    """One file, mapped twice."""
    with TemporaryDirectory() as folder:
        np.save(Path(folder, "weight.npy"), mine)
        own, lent = (np.load(Path(folder, "weight.npy"), mmap_mode="r+") for _ in range(2))
        return own, torch.from_numpy(lent)


def _buffer(mine: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
    memory = bytearray(mine.tobytes())
    own = np.frombuffer(memory, np.float32)
    return own, torch.frombuffer(memory, dtype=torch.float32).view(mine.shape)


CHANGES: dict[str, Change] = {
    "data": _all_data,
    "new data": _new_data,
    "data and back": _data_and_back,
    "copied": _copied,
    "numpy": _numpy,
    "kept dictionary": _kept_dictionary,
    "loaded": _loaded,
    "assigned": _assigned,
    "vector": _vector,
    "swapped": _swapped,
    "set": _set,
    "foreach": lambda model: torch._foreach_mul_([p.data for p in model.parameters()], 1.05),
    "optimizer": _optimizer(),
    "fused optimizer": _optimizer(fused=True),
    "weak average": _weak_average,
    "held": _held_before(lambda weight: weight, lambda weight: weight.data.mul_(2)),
    "held data": _held_before(lambda weight: weight.data, lambda data: data.mul_(2)),
    "held view": _held_before(lambda weight: weight.detach()[3:9], lambda part: part.data.mul_(9)),
    "held numpy": _held_before(lambda weight: weight.detach().numpy(), lambda array: array.fill(0.1)),
    "memory of numpy's": _of_other_memory(lambda mine: (mine, torch.from_numpy(mine))),
    "memory of a buffer": _of_other_memory(_buffer),
    "memory of a file": _of_other_memory(_mapped),
    "held dlpack": _held_before(lambda w: torch.from_dlpack(w.detach()), lambda x: x.mul_(2)),
    "held memory": _held_before(
        lambda weight: weight.untyped_storage(),
        lambda memory: ctypes.memset(memory.data_ptr(), 0, memory.nbytes()),
    ),
    "held graph": _held_before(
        lambda weight: (weight * 1.0).grad_fn, lambda node: node.next_functions[0][0].variable.data.mul_(2)
    ),
    "half a loop": _half_a_loop,
    "dictionary": _of_the_dictionary(lambda own: own["weight"]),
    "dictionary, get": _of_the_dictionary(lambda own: own.get("weight")),
    "dictionary, copied": _of_the_dictionary(lambda own: dict(own)["weight"]),
    "dictionary, unpacked": _of_the_dictionary(lambda own: {**own}["weight"]),
    "dictionary, merged": _of_the_dictionary(lambda own: (own | {})["weight"]),
    "dictionary, merged into": _of_the_dictionary(lambda own: ({} | own)["weight"]),
    "dictionary, values": _of_the_dictionary(lambda own: next(iter(own.values()))),
    "dictionary, copy": _of_the_dictionary(lambda own: copy.copy(own)["weight"]),
    "dictionary, default": _of_the_dictionary(lambda own: own.setdefault("weight")),
    "dictionary, update": lambda model: _fc1(model)._parameters.update(
        weight=nn.Parameter(torch.ones(128, 64))
    ),
    "dictionary, merged in place": lambda model: _fc1(model)._parameters.__ior__(
        {"weight": nn.Parameter(torch.ones(128, 64))}
    ),
    "dictionary, set": lambda model: _fc1(model)._parameters.__setitem__(
        "bias", nn.Parameter(torch.ones(128))
    ),
    "other dictionary": lambda model: setattr(
        _fc1(model), "_parameters", {"weight": nn.Parameter(torch.ones(128, 64)), "bias": None}
    ),
    "other parameter": lambda model: setattr(_fc1(model), "weight", nn.Parameter(torch.ones(128, 64))),
    "no parameter": lambda model: setattr(_fc1(model), "bias", None),
    "other process": _other_process,
    "own forward": _own_forward,
    "own gate": _own_gate,
    "own kind": _own_kind,
    "other part": _other_part,
    "one layer": _one_layer,
    "hook": _hook,
    "pre-hook": _pre_hook,
    "parametrized": _parametrized,
    "parametrized no more": _unparametrized,
    "old norm": _old_norm,
    "pruned": lambda model: prune.random_unstructured(_fc1(model), "weight", amount=0.5),
    "embedding": _data("patch_embedding.weight"),
    "projection": _data("post_extract_proj.bias"),
    "convolution's scale": _data("encoder.pos_conv.0.weight_g"),
    "convolution's weight": _data("encoder.pos_conv.0.weight_v"),
    "convolution's bias": _data("encoder.pos_conv.0.bias"),
    "norm": _data("encoder.layers.0.final_layer_norm.weight"),
    "first norm": _data("layer_norm.bias"),
    "table": _data("encoder.layers.0.self_attn.relative_attention_bias.weight"),
    "gate": _data("encoder.layers.1.self_attn.grep_a"),
    "gate's product": _data("encoder.layers.1.self_attn.grep_linear.weight"),
    "setting of a norm": _setting("encoder.layers.0.final_layer_norm", "eps", 0.5),
    "setting of a layer": _setting("encoder.layers.0", "residual_scale", 3.0),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_by_the_next_call(change):
    model = _fresh()
    before = _run(model)
    with torch.inference_mode():
        assert isinstance(fast_encoder(model), FastEncoder)

    kept = CHANGES[change](model)

    after = _run(model)
    assert not torch.allclose(before, after, atol=1e-3)
    torch.testing.assert_close(after, _plain(model), rtol=0, atol=5e-5)
    del kept


@pytest.mark.parametrize("kind", [Attention, Layer, nn.Linear])
@pytest.mark.parametrize("ran_before", [True, False])
def test_a_method_that_was_put_into_a_class_is_called(kind, ran_before, monkeypatch):
    model, theirs = _fresh(), kind.forward
    if ran_before:
        _run(model)

    monkeypatch.setattr(kind, "forward", lambda part, *inputs: theirs(part, *inputs) * 1.1)

    torch.testing.assert_close(_run(model), _plain(model), rtol=0, atol=5e-5)


@pytest.mark.parametrize("register", ["register_module_forward_hook", "register_module_forward_pre_hook"])
def test_a_hook_on_all_modules_is_called(register):
    model, seen = _fresh(), []
    _run(model)
    hook = getattr(nn.modules.module, register)(lambda part, *_: seen.append(type(part)) or None)

    _run(model)

    hook.remove()
    assert seen.count(Layer) == 2


def test_a_method_of_a_kind_of_modules_is_called(monkeypatch):
    model = _fresh()
    before = _run(model)
    honest = nn.LayerNorm.forward
    monkeypatch.setattr(nn.LayerNorm, "forward", lambda norm, x: honest(norm, x) + 1)

    after = _run(model)

    assert not torch.allclose(before, after, atol=1e-3)
    torch.testing.assert_close(after, _plain(model), rtol=0, atol=2e-5)


def test_weights_given_for_one_call_are_used_in_it_and_not_after():
    model = _fresh()
    before = _run(model)
    with torch.no_grad():
        for factor in (1.05, 1.1, 1.15):  # each may lie where the last one lay
            others = {name: value * factor for name, value in model.state_dict().items()}
            ours = torch.func.functional_call(model, others, (CLIP,))
            other = _fresh()
            other.load_state_dict(others)
            torch.testing.assert_close(ours, _plain(other), rtol=0, atol=2e-5)

    torch.testing.assert_close(_run(model), before, rtol=0, atol=2e-5)


def test_copies_that_are_laid_out_anew_are_let_go_first():
    model, seen = _fresh(), []
    with torch.inference_mode():
        old = weakref.ref(fast_encoder(model).layers[1])
        fast = model.fast
        for copied in fast._copies:
            copied._lay_out = _noting(copied._lay_out, lambda: seen.append(old()))
        list(model.parameters())
        fast_encoder(model)

    assert seen
    assert set(seen) == {None}


def _noting(lay_out: Callable[[], Any], note: Callable[[], object]) -> Callable[[], Any]:
    def noted() -> Any:
        note()
        return lay_out()

    return noted


def test_weights_that_somebody_holds_are_computed_with_where_they_are():
    model = _fresh()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    with torch.inference_mode():
        assert fast_encoder(model) is None
    del optimizer
    gc.collect()

    with torch.inference_mode():
        assert isinstance(fast_encoder(model), FastEncoder)


def test_looking_at_one_weight_lays_out_its_part_alone_anew():
    model = _fresh()
    with torch.inference_mode():
        before = fast_encoder(model)
        assert next(model.parameters()).device.type == "cpu"
        after = fast_encoder(model)

    assert after.embed is not before.embed
    assert after.layers == before.layers


@pytest.mark.parametrize("look", ["device", "n_layers"])
def test_what_the_model_says_of_itself_lays_out_nothing(look):
    model = _fresh()
    with torch.inference_mode():
        before = fast_encoder(model)
        getattr(model, look)
        assert fast_encoder(model) is before


def test_training_and_back_is_seen():
    model = _fresh()
    before = _run(model)

    model.encoder.layers[1].train()
    with torch.inference_mode():
        assert fast_encoder(model) is None
    model.eval()

    assert torch.equal(_run(model), before)


def test_a_copy_and_a_saved_model_have_weights_of_their_own(tmp_path):
    model = _fresh()
    before = _run(model)
    torch.save(model, tmp_path / "whole.pt")
    twins = [copy.deepcopy(model), torch.load(tmp_path / "whole.pt", weights_only=False)]

    _all_data(model)

    for twin in twins:
        assert torch.equal(_run(twin), before)
        with torch.inference_mode():
            assert isinstance(fast_encoder(twin), FastEncoder)


def test_a_model_that_nobody_needs_is_let_go():
    model = _fresh()
    _run(model)
    gone = weakref.ref(model)

    gc.disable()
    try:
        del model
        assert gone() is None
    finally:
        gc.enable()


def test_a_saved_model_that_is_mapped_does_not_follow_its_file(tmp_path):
    model = _fresh()
    torch.save(model, tmp_path / "whole.pt")
    twin = torch.load(tmp_path / "whole.pt", weights_only=False, mmap=True)

    os.truncate(tmp_path / "whole.pt", 100)

    torch.testing.assert_close(_run(twin), _plain(model), rtol=0, atol=5e-5)
