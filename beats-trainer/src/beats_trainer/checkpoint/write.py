"""A checkpoint as the tensors and the metadata of one safetensors file."""

from __future__ import annotations

from torch import Tensor

from beats_trainer.checkpoint.read import Checkpoint
from beats_trainer.encoder.description import KEY, describe_encoder

WEIGHTS_NAME = "model.safetensors"


def head_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors of the heads, by name."""
    parts = ((head, part) for head in checkpoint.heads.values() for part in ("weight", "bias"))
    return {f"{head.name}.{part}": getattr(head, part) for head, part in parts}


def tensors_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors of the encoder and of its heads, by name, as one file holds them."""
    tensors = checkpoint.weights | head_tensors(checkpoint)
    return {name: tensor.detach().clone().contiguous() for name, tensor in sorted(tensors.items())}


def metadata_of(checkpoint: Checkpoint) -> dict[str, str]:
    """One entry only: safetensors writes several in any order, and one checkpoint must give one file."""
    return {KEY: describe_encoder(checkpoint.config, checkpoint.heads.values())}
