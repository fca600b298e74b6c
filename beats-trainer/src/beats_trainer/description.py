"""What a saved model says beside its numbers, as text among them: its settings and its heads.

It is the header that `beats publish` writes, and a tensor of a state_dict: there each number is one byte of
the text, as a float, which averages and casts of weights leave as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import torch
from torch import Tensor

from beats_trainer.config import BEATsConfig

DESCRIPTION = "description"  # the tensor's name
_LONGEST = 1 << 20  # bytes
_KNOWN = {"config", "labels", "heads"}
_OF_A_HEAD = {"name", "labels", "activation"}
_OF_A_CONFIG = {field.name for field in fields(BEATsConfig)}


def described(config: BEATsConfig, heads: Iterable[Any]) -> str:
    """The text."""
    said = [{"name": head.name, "labels": head.labels, "activation": head.activation} for head in heads]
    return json.dumps({"config": asdict(config), "labels": None, "heads": said}, sort_keys=True)


def read_description(text: str) -> dict[str, Any]:
    """What the text says.

    Raises:
        ValueError: it is no description, or asks for something that this version does not know.
    """
    try:
        said = json.loads(text)
    except RecursionError as error:
        message = "its description is nested too deeply"
        raise ValueError(message) from error
    _refuse_unknown(said, _KNOWN, "its description")
    _refuse_unknown(said.get("config"), _OF_A_CONFIG, "the config of its description")
    for number, head in enumerate(said.get("heads") or ()):
        _refuse_unknown(head, _OF_A_HEAD, f"head {number} of its description")
    return said  # type: ignore[no-any-return]


def _refuse_unknown(said: object, known: set[str], where: str) -> None:
    if not isinstance(said, Mapping):
        message = f"{where} is a {type(said).__name__}, where named fields were expected"
        raise ValueError(message)  # noqa: TRY004 - of a file, not of an argument
    unknown = sorted(said.keys() - known)
    if unknown:
        message = f"{where} asks for {unknown[0]!r:.60}, which this version of beats-trainer does not know"
        raise ValueError(message)


def as_tensor(text: str) -> Tensor:
    """The text as numbers."""
    return torch.tensor([*text.encode()], dtype=torch.float32, device="cpu")


def as_text(numbers: Tensor) -> str:
    """The text that numbers stand for.

    Raises:
        ValueError: they stand for none.
    """
    if numbers.ndim != 1 or len(numbers) > _LONGEST or not bool(torch.isfinite(numbers).all()):
        message = f"its tensor {DESCRIPTION} is no text"
        raise ValueError(message)
    return bytes(numbers.round().clamp(0, 255).to(torch.uint8).tolist()).decode()
