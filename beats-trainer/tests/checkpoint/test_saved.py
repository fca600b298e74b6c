"""A model that was saved by torch's or safetensors' own means comes back as it was, or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.checkpoint.write import save_checkpoint
from beats_trainer.encoder.description import DESCRIPTION, as_tensor, describe_encoder
from beats_trainer.encoder.model import BEATs
from beats_trainer.errors import CheckpointError
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.load import load_model
from beats_trainer.publish.card import Statement
from beats_trainer.publish.package import write_publication
from golden_data import CLIPS, TINY
from safetensors import safe_open
from safetensors.torch import load_file, save_file

MICROSOFT, FINETUNED = "BEATs_iter3_plus_AS2M.pt", "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"
HEADED = [FINETUNED, "espnet_finetuned_valid.mAP.best.pth", "esp-aves2-sl-beats-all.safetensors"]
CLIP = torch.from_numpy(CLIPS["synthetic0_16000"]).unsqueeze(0)
WAYS: dict[str, Callable[[BEATs, Path], Any]] = {
    "ours": lambda model, path: save_checkpoint(model, path.with_suffix(".safetensors")).replace(path),
    "torch": lambda model, path: torch.save(model.state_dict(), path),
    "wrapped": lambda model, path: torch.save({"model": model.state_dict(), "epoch": 3}, path),
    "copied": lambda model, path: torch.save({k: v.clone() for k, v in model.state_dict().items()}, path),
    "safetensors": lambda model, path: save_file(model.state_dict(), path),
    "inside another": lambda model, path: torch.save(
        torch.nn.ModuleDict({"encoder": model}).state_dict(), path
    ),
    "compiled": lambda model, path: torch.save(torch.compile(model, backend="eager").state_dict(), path),
    "averaged": lambda model, path: save_file(_averaged(model), path),
}


def _averaged(model: BEATs) -> dict[str, torch.Tensor]:
    """As an average of weights over time is kept, number by number."""
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(5):
        for name, value in model.state_dict().items():
            kept[name].mul_(0.9).add_(value, alpha=0.1)
    return kept


def _model(file: str, **settings: Any) -> BEATs:
    checkpoint = read_checkpoint(TINY / file)
    return build(replace(checkpoint, config=replace(checkpoint.config, **settings)), "cpu")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("settings", [{}, {"deep_norm": False}, {"fbank_mean": 10.0, "dropout": 0.3}])
def test_settings_are_kept(tmp_path, way, settings):
    model = _model(MICROSOFT, **settings)
    WAYS[way](model, tmp_path / "mine.pt")

    again = build(read_checkpoint(tmp_path / "mine.pt"), "cpu")

    assert again.config == model.config
    torch.testing.assert_close(again(CLIP), model(CLIP), rtol=0, atol=1e-3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("file", HEADED)
def test_heads_are_kept(tmp_path, way, file):
    model = _model(file)
    WAYS[way](model, tmp_path / "mine.pt")

    again = build(read_checkpoint(tmp_path / "mine.pt"), "cpu")

    assert [*again.heads] == [*model.heads]
    assert [(h.labels, h.activation) for h in again.heads.values()] == [
        (h.labels, h.activation) for h in model.heads.values()
    ]
    torch.testing.assert_close(again.logits(CLIP), model.logits(CLIP), rtol=0, atol=1e-3)


def test_heads_are_part_of_the_module():
    model = _model(FINETUNED)

    model.head()(model(CLIP)).sum().backward()

    assert dict(model.named_parameters())["heads.predictor.weight"].grad.any()
    assert model.double().head().weight.dtype == torch.float64
    assert model.to("meta").head().bias.device.type == "meta"


def test_weights_of_plain_settings_are_saved_as_they_are():
    model = _model(MICROSOFT)

    assert model.state_dict().keys() == dict(model.named_parameters()).keys()


def test_weights_are_not_loaded_into_a_model_with_other_settings():
    model, other = _model(MICROSOFT), _model(MICROSOFT, deep_norm=False)

    with pytest.raises(RuntimeError, match="of a model with other settings: deep_norm False, not True"):
        model.load_state_dict(other.state_dict())
    other.load_state_dict(other.state_dict())


def _published(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A published file whose header says something else."""
    path = write_publication(TINY / FINETUNED, tmp_path, Statement("mit"))[0]
    with safe_open(path, framework="pt") as file:
        said = json.loads(file.metadata()["beats"])
    change(said)
    save_file(load_file(path), path.with_name("other.safetensors"), metadata={"beats": json.dumps(said)})
    return path.with_name("other.safetensors")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda said: said["heads"][0].update(layer=1, normalize=True), "layer"),
        (lambda said: said.update(requires=["pooling"]), "requires"),
        (lambda said: said["config"].update(rotary=True), "rotary"),
        (lambda said: said["heads"][0].update(activation="tanh"), "tanh"),
    ],
)
def test_a_header_that_asks_for_something_unknown_is_refused(tmp_path, change, named):
    path = _published(tmp_path, change)

    with pytest.raises(CheckpointError, match=named):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "numbers",
    [
        torch.zeros(3, 3),
        torch.tensor([float("nan")]),
        torch.tensor([200.0, 200.0]),
        as_tensor("[" * 100_000),
        as_tensor("[]"),
        as_tensor('{"heads": [3]}'),
    ],
)
def test_a_description_that_is_none_is_refused(tmp_path, numbers):
    weights = {**_model(MICROSOFT).state_dict(), DESCRIPTION: numbers}
    torch.save(weights, tmp_path / "mine.pt")

    with pytest.raises(CheckpointError, match=r"mine.pt"):
        read_checkpoint(tmp_path / "mine.pt")


def test_a_description_says_what_the_header_of_a_publication_says(tmp_path):
    model = _model(FINETUNED)
    path = write_publication(TINY / FINETUNED, tmp_path, Statement("mit"))[0]

    with safe_open(path, framework="pt") as file:
        assert file.metadata()["beats"] == describe_encoder(model.config, model.heads.values())


@pytest.mark.parametrize("file", [MICROSOFT, *HEADED])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_we_save_gives_equal_outputs(tmp_path, file, compiled):
    model = _model(file, fbank_mean=10.0)
    saved = torch.compile(model, backend="eager") if compiled else model

    again = load_model(save_checkpoint(saved, tmp_path / "new" / "mine.safetensors"), device="cpu")

    assert again.config == model.config
    assert torch.equal(again(CLIP), model(CLIP))
    assert {name: head.labels for name, head in again.heads.items()} == {
        name: head.labels for name, head in model.heads.items()
    }
    assert not len(model.heads) or torch.equal(again.logits(CLIP), model.logits(CLIP))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.safetensors"]


def test_a_file_may_be_saved_over_the_one_that_the_weights_are_mapped_from(tmp_path):
    path = save_checkpoint(_model(FINETUNED), tmp_path / "mine.safetensors")
    model = load_model(path, device="cpu")
    before = model(CLIP)

    save_checkpoint(model, path)

    assert torch.equal(model(CLIP), before)
    assert torch.equal(load_model(path, device="cpu")(CLIP), before)


def test_what_is_there_stays_whole_when_saving_fails(tmp_path):
    path = save_checkpoint(_model(MICROSOFT), tmp_path / "mine.safetensors")
    before = path.read_bytes()

    with pytest.raises(Exception, match="meta"):
        save_checkpoint(_model(FINETUNED).to("meta"), path)

    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_what_cannot_be_saved_is_named(tmp_path):
    with pytest.raises(TypeError, match="Of an extractor pass its `model`"):
        save_checkpoint(BEATsFeatureExtractor(TINY / MICROSOFT, device="cpu"), tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"expected one that ends in \.safetensors"):
        save_checkpoint(_model(MICROSOFT), tmp_path / "a.pt")
