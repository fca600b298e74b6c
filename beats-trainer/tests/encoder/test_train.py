from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch
from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.encoder.layers import scale_gradient
from beats_trainer.encoder.model import BEATs
from golden_data import CLIPS, TINY, tiny_model
from torch import nn

FILE = "BEATs_iter3_plus_AS2M.pt"
CLIP = torch.from_numpy(CLIPS["synthetic0_16000"]).unsqueeze(0)


def _model(**changes: float) -> BEATs:
    checkpoint = read_checkpoint(TINY / FILE)
    return build(replace(checkpoint, config=replace(checkpoint.config, **changes)), "cpu")


def _gradients(model: BEATs) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(CLIP).square().mean().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("training", [True, False])
def test_every_weight_gets_a_gradient(training):
    gradients = _gradients(_model(encoder_layerdrop=0.0).train(training))

    assert len(gradients) == 49
    for name, gradient in gradients.items():
        assert torch.isfinite(gradient).all(), name
        # A key's bias shifts all scores of a query alike, which softmax does not see.
        assert gradient.abs().max() > 0 or "k_proj.bias" in name, name


def test_gradients_are_those_of_finite_differences():
    model = _model().double()
    energies = model.fbank(CLIP).double()
    weight = model.encoder.layers[0].self_attn.grep_a
    model.encode(energies, [-1])[0].sum().backward()
    step = 1e-5

    with torch.no_grad():
        weight[0, 1] += step
        above = model.encode(energies, [-1])[0].sum()
        weight[0, 1] -= 2 * step
        below = model.encode(energies, [-1])[0].sum()

    torch.testing.assert_close(
        weight.grad[0, 1].squeeze(), (above - below) / (2 * step), rtol=1e-4, atol=1e-6
    )


def test_dropout_is_on_while_training_and_off_otherwise():
    model = _model(encoder_layerdrop=0.0)

    torch.manual_seed(0)
    model.train()
    first, second = model(CLIP), model(CLIP)
    model.eval()

    assert not torch.equal(first, second)
    assert torch.equal(model(CLIP), model(CLIP))


def test_without_dropout_training_mode_computes_what_eval_mode_computes():
    off = dict.fromkeys(("dropout", "attention_dropout", "activation_dropout", "dropout_input"), 0.0)
    model = _model(encoder_layerdrop=0.0, **off).train()

    torch.testing.assert_close(model(CLIP), tiny_model(FILE)(CLIP), rtol=0, atol=2e-5)


def test_layerdrop_leaves_layers_out_while_training_only():
    model = _model(encoder_layerdrop=1.0, dropout=0.0, dropout_input=0.0).train()

    first, *others = model.hidden(CLIP)

    assert all(torch.equal(first, other) for other in others)
    model.eval()
    assert not torch.equal(*model.hidden(CLIP)[:2])


def test_layers_that_are_left_out_take_part_in_the_backward_pass():
    model = _model(encoder_layerdrop=1.0).train()

    gradients = _gradients(model)

    assert len(gradients) == 49
    assert not gradients["encoder.layers.1.fc1.weight"].any()
    assert gradients["post_extract_proj.weight"].any()


def test_layer_wise_decay_shrinks_the_gradients_of_early_layers_and_no_number():
    plain, decayed = _model(), _model(layer_wise_gradient_decay_ratio=0.5)

    assert torch.equal(plain(CLIP), decayed(CLIP))
    name = "post_extract_proj.weight"
    torch.testing.assert_close(_gradients(decayed)[name], _gradients(plain)[name] / 4, rtol=1e-3, atol=1e-7)
    x = torch.ones(3, requires_grad=True)
    scale_gradient(x, 0.25).sum().backward()
    assert x.grad.tolist() == [0.25] * 3


def test_gradient_checkpointing_changes_no_gradient():
    plain, checkpointed = _model(), _model()
    checkpointed.checkpoint_gradients()

    expected, ours = _gradients(plain), _gradients(checkpointed)

    for name, gradient in expected.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-5, atol=1e-8)


def test_a_graph_without_breaks_can_be_taken_for_compiling():
    model = _model()
    energies = model.fbank(CLIP)

    compiled = torch.compile(model.encode, fullgraph=True, backend="aot_eager")

    torch.testing.assert_close(
        compiled(energies, [-1])[0], model.encode(energies, [-1])[0], rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_the_whole_model_is_compiled_as_one_graph(grad):
    model = _model()
    with torch.no_grad():
        model(CLIP)  # its weights are watched from now on
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")

    with torch.set_grad_enabled(grad):
        ours = compiled(CLIP).detach()

    torch.testing.assert_close(ours, model(CLIP).detach(), rtol=0, atol=2e-5)


def test_the_whole_model_is_exported():
    model = _model()

    exported = torch.export.export(model, (CLIP,)).module()

    torch.testing.assert_close(exported(CLIP), model(CLIP), rtol=0, atol=2e-5)


def test_what_is_compiled_trains_as_what_is_not():
    off = dict.fromkeys(("dropout", "attention_dropout", "activation_dropout", "dropout_input"), 0.0)
    plain, compiled = (_model(encoder_layerdrop=0.0, **off).train() for _ in range(2))
    encode = torch.compile(compiled.encode, fullgraph=True, backend="aot_eager")

    encode(compiled.fbank(CLIP), [-1])[0].square().mean().backward()

    for name, expected in _gradients(plain).items():
        ours = dict(compiled.named_parameters())[name].grad
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.filterwarnings("ignore")  # of torch's compiler, about itself
def test_layerdrop_breaks_the_graph_and_still_compiles():
    model = _model(encoder_layerdrop=0.5).train()
    encode = torch.compile(model.encode, backend="aot_eager")

    encode(model.fbank(CLIP), [-1])[0].sum().backward()

    assert torch.isfinite(model.patch_embedding.weight.grad).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.skipif("BEATS_TEST_FULL" not in os.environ, reason="a minute of C++ compiler: BEATS_TEST_FULL=1")
def test_torchs_own_compiler_computes_the_same():
    model = _model()
    energies = model.fbank(CLIP)

    with torch.no_grad():
        ours = torch.compile(model.encode, fullgraph=True)(energies, [-1])[0]

    torch.testing.assert_close(ours, model.plain(energies, [2])[0], rtol=0, atol=2e-5)


def test_eight_clips_can_be_learned_by_heart():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    pitch = torch.linspace(0.01, 0.5, 8).unsqueeze(1)
    clips = (pitch * torch.arange(8_000)).sin() * 0.3 + 0.05 * torch.randn(8, 8_000, generator=generator)
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1])
    model, head = _model().train(), nn.Linear(64, 2)
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=1e-3)

    for _ in range(60):
        loss = nn.functional.cross_entropy(head(model(clips).mean(1)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with torch.inference_mode():
        predicted = head(model.eval()(clips).mean(1)).argmax(1)
    assert predicted.tolist() == labels.tolist()
    assert loss < 0.1
