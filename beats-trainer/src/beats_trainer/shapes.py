"""The sizes of an encoder, read off its tensors and held against what its config says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from beats_trainer.config import BEATsConfig
from beats_trainer.model import BEATs

# What a config that does not say means: the defaults of the code that wrote it, not the published values.
_UNSAID = {
    "deep_norm": False,
    "max_distance": 1280,
    "activation_dropout": 0.0,
    "dropout_input": 0.0,
    "encoder_layerdrop": 0.0,
}
_MOST_LAYERS = 100  # building more only to compare names would take minutes
_LARGEST = 1e6
_FIXED = {
    "layer_norm_first": False,
    "conv_bias": False,
    "activation_fn": "gelu",
    "relative_position_embedding": True,
    "gru_rel_pos": True,
}


def infer_config(weights: Mapping[str, Tensor], said: Mapping[str, Any] | None) -> BEATsConfig:
    """Sizes from the tensors, the rest from the file's config; without one, the published values.

    Raises:
        ValueError: config and tensors disagree, or the config asks for what no published encoder has.
        KeyError: a tensor that a size is read from is missing.
    """
    sizes = _sizes(weights)
    if said is None:
        return BEATsConfig(**sizes)
    _refuse_disagreement(sizes, said)
    names = set(asdict(BEATsConfig())) - set(sizes)
    values = {k: said.get(k, _UNSAID.get(k)) for k in names}
    _refuse_no_numbers(values)
    return BEATsConfig(**sizes, **{k: v for k, v in values.items() if v is not None})


def expected_shapes(config: BEATsConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of such an encoder."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in BEATs(config).named_parameters()}


def _sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    patch, projection = weights["patch_embedding.weight"], weights["post_extract_proj.weight"]
    kernel = weights["encoder.pos_conv.0.weight_v"]
    table = weights["encoder.layers.0.self_attn.relative_attention_bias.weight"]
    return {
        "encoder_layers": _layers(weights),
        "encoder_embed_dim": projection.shape[0],
        "encoder_ffn_embed_dim": weights["encoder.layers.0.fc1.weight"].shape[0],
        "encoder_attention_heads": table.shape[1],
        "embed_dim": patch.shape[0],
        "input_patch_size": patch.shape[-1],
        "conv_pos": kernel.shape[2],
        "conv_pos_groups": kernel.shape[0] // kernel.shape[1],
        "num_buckets": table.shape[0],
    }


def _layers(weights: Mapping[str, Tensor]) -> int:
    last = max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layers."))
    if last >= _MOST_LAYERS:
        message = f"it names a layer {last}, and the largest encoders have 24"
        raise ValueError(message)
    return last + 1


def _refuse_no_numbers(values: Mapping[str, Any]) -> None:
    wrong = [
        f"{name}: the config says {value!r:.60}, which is no number of use here"
        for name, value in values.items()
        if value is not None and not (isinstance(value, int | float) and abs(value) < _LARGEST)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


def _refuse_disagreement(sizes: Mapping[str, int], said: Mapping[str, Any]) -> None:
    wrong = [
        f"{name}: the config says {said[name]!r}, {by} {value!r}"
        for held, by in ((sizes, "the tensors say"), (_FIXED, "every published encoder has"))
        for name, value in held.items()
        if name in said and not _is(said[name], value)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


def _is(said: Any, value: object) -> bool:
    return isinstance(said, int | float | str) and said == value
