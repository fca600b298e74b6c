"""The sizes of an encoder, read off its tensors and held against what its config says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.model import BEATs
from beats_trainer.foreign.measure import shown

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


def infer_config(weights: Mapping[str, Tensor], said: Mapping[str, object] | None) -> BEATsConfig:
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
    return BEATsConfig(**sizes, **_numbers({k: said.get(k, _UNSAID.get(k)) for k in names}))


def expected_shapes(config: BEATsConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of such an encoder."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in BEATs(config).named_parameters()}


def _sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    embed_dim, _, _, patch_size = _shape(weights, "patch_embedding.weight", 4)
    dim, _ = _shape(weights, "post_extract_proj.weight", 2)
    inner_dim, _ = _shape(weights, "encoder.layers.0.fc1.weight", 2)
    kernel_dim, group_dim, width = _shape(weights, "encoder.pos_conv.0.weight_v", 3)
    buckets, heads = _shape(weights, "encoder.layers.0.self_attn.relative_attention_bias.weight", 2)
    return {
        "encoder_layers": _layers(weights),
        "encoder_embed_dim": dim,
        "encoder_ffn_embed_dim": inner_dim,
        "encoder_attention_heads": heads,
        "embed_dim": embed_dim,
        "input_patch_size": patch_size,
        "conv_pos": width,
        "conv_pos_groups": kernel_dim // group_dim,
        "num_buckets": buckets,
    }


def _shape(weights: Mapping[str, Tensor], name: str, dims: int) -> tuple[int, ...]:
    """The shape of a tensor that sizes are read from: so many dimensions, none of them empty or absurd."""
    shape = tuple(weights[name].shape)
    if len(shape) != dims or not all(0 < size < _LARGEST for size in shape):
        message = f"{name} has the shape {shape}, expected {dims} dimensions, none of them empty"
        raise ValueError(message)
    return shape


def _layers(weights: Mapping[str, Tensor]) -> int:
    numbers = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    last = max(numbers, key=lambda number: (len(number), number))
    if not (last.isdecimal() and len(last) < len(str(_MOST_LAYERS))):
        message = f"it names a layer {shown(last)}, and the largest encoders have 24"
        raise ValueError(message)
    return int(last) + 1


def _numbers(values: Mapping[str, object]) -> dict[str, Any]:
    """The values that a config says; what it does not say is left to the defaults."""
    numbers: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, int | float) and abs(value) < _LARGEST:
            numbers[name] = value
        elif value is not None:
            message = f"{name}: the config says {shown(value)}, which is no number of use here"
            raise ValueError(message)
    return numbers


def _refuse_disagreement(sizes: Mapping[str, int], said: Mapping[str, object]) -> None:
    wrong = [
        f"{name}: the config says {shown(said[name])}, {by} {value!r}"
        for held, by in ((sizes, "the tensors say"), (_FIXED, "every published encoder has"))
        for name, value in held.items()
        if name in said and not _is(said[name], value)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


def _is(said: object, value: object) -> bool:
    return isinstance(said, int | float | str) and said == value
