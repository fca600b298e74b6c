"""What a saved model says beside its numbers, as text among them: its settings and its heads.

It is the header that `beats publish` writes, and a tensor of a state_dict: there each number is one byte of
the text, as a float, which averages and casts of weights leave as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import torch
from torch import Tensor

from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.foreign.texts import Field, Text, parse_json

DESCRIPTION = "description"  # the tensor's name
KEY = "beats"  # of the text in the metadata of a file, ours or an exported one
_LONGEST = 1 << 20  # bytes
_KNOWN = {"config", "labels", "heads"}
_OF_A_HEAD = {"name", "labels", "activation"}
_OF_A_CONFIG = {field.name for field in fields(BEATsConfig)}


def describe_encoder(config: BEATsConfig, heads: Iterable[Any]) -> str:
    """The text."""
    said = [{"name": head.name, "labels": head.labels, "activation": head.activation} for head in heads]
    return json.dumps({"config": asdict(config), "labels": None, "heads": said}, sort_keys=True)


def read_description(text: str | bytes, origin: Text) -> Field:
    """What the text says; one that asks for something that this version does not know is refused."""
    said = parse_json(text, origin)
    _refuse_unknown(said, _KNOWN)
    _refuse_unknown(said["config"], _OF_A_CONFIG)
    for head in said["heads"].items():
        _refuse_unknown(head, _OF_A_HEAD)
    return said


def _refuse_unknown(said: Field, known: set[str]) -> None:
    for name, value in said.fields():
        if name not in known:
            value.refuse("no such field: this version of beats-trainer does not know it")


def as_tensor(text: str) -> Tensor:
    """The text as numbers."""
    return torch.tensor([*text.encode()], dtype=torch.float32, device="cpu")


def read_tensor(numbers: Tensor, origin: Text) -> Field:
    """What the text says that numbers stand for."""
    is_text = numbers.ndim == 1 and len(numbers) <= _LONGEST and bool(torch.isfinite(numbers).all())
    if not is_text:
        origin.refuse(f"its tensor {DESCRIPTION} stands for no text", "the bytes of one, as numbers")
    return read_description(bytes(numbers.round().clamp(0, 255).to(torch.uint8).tolist()), origin)
