"""Checkpoints of the true architecture with seeded random weights: for tests, demos and benchmarks."""

from __future__ import annotations

import math
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.model import BEATs

TABLE = "relative_attention_bias"
BASE = BEATsConfig()
LARGE = BEATsConfig(
    encoder_layers=24, encoder_embed_dim=1024, encoder_ffn_embed_dim=4096, encoder_attention_heads=16
)


def write_untrained(path: str | Path, seed: int = 2026, config: BEATsConfig = BASE) -> Path:
    """Write a checkpoint as Microsoft's are, but untrained: its embeddings carry no knowledge of sound."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"cfg": microsoft_config(config), "model": untrained_weights(seed, config)}, path)
    return path


@torch.inference_mode(mode=False)
def untrained_weights(seed: int = 2026, config: BEATsConfig = BASE) -> OrderedDict[str, torch.Tensor]:
    """Seeded random weights under Microsoft's 250 names; each depends on the seed and its own name alone."""
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in BEATs(config).named_parameters()}
    weights = OrderedDict((name, _draw(seed, name, shape)) for name, shape in shapes.items())
    first = f"encoder.layers.0.self_attn.{TABLE}.weight"
    for i in range(1, config.encoder_layers):
        weights[first.replace(".0.", f".{i}.")] = weights[first].clone()
    return weights


def microsoft_config(config: BEATsConfig) -> dict[str, Any]:
    """The config as Microsoft's files hold it."""
    ours = {k: v for k, v in asdict(config).items() if not k.startswith("fbank")}
    return ours | {
        "activation_fn": "gelu",
        "layer_norm_first": False,
        "conv_bias": False,
        "relative_position_embedding": True,
        "gru_rel_pos": True,
        "finetuned_model": False,
    }


def _draw(seed: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    mean, std = _mean_std(name, shape)
    drawn = generator.standard_normal(shape, dtype=np.float32) * np.float32(std) + np.float32(mean)
    return torch.tensor(drawn)  # a copy: weights in numpy's memory could be changed unseen


def _mean_std(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    for matches, mean, std in _RULES:
        if matches(name):
            return mean(name), std(shape)
    return 0.0, 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.05


_Rule = tuple[Callable[[str], bool], Callable[[str], float], Callable[[tuple[int, ...]], float]]
# The first rule that matches the name gives mean and spread, such that every part of the encoder matters.
_RULES: list[_Rule] = [
    (lambda n: "layer_norm" in n, lambda n: float(n.endswith(".weight")), lambda _: 0.15),
    (lambda n: n.endswith("grep_a"), lambda _: 1.0, lambda _: 0.3),
    (lambda n: "grep_linear" in n, lambda _: 0.0, lambda _: 0.2),
    (lambda n: TABLE in n, lambda _: 0.0, lambda _: 0.7),
    (lambda n: n.endswith("weight_g"), lambda _: 2.0, lambda _: 0.2),
    (lambda n: n.endswith("weight_v"), lambda _: 0.0, lambda s: math.sqrt(4 / (128 * s[0]))),
    (lambda n: n.endswith("bias"), lambda _: 0.0, lambda _: 0.05),
    (lambda n: "q_proj" in n or "k_proj" in n, lambda _: 0.0, lambda s: math.sqrt(3) / math.sqrt(s[1])),
]
