"""A checkpoint as one safetensors file: its tensors, with its config and its heads in the header."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from beats_trainer.atomic import written_whole
from beats_trainer.checkpoint.read import Checkpoint
from beats_trainer.encoder.description import DESCRIPTION, KEY, describe_encoder
from beats_trainer.encoder.model import BEATs


def save_checkpoint(model: BEATs, path: str | PathLike[str]) -> Path:
    """Save an encoder with its settings and heads as one file, which `load_model` makes equal again.

    What lay under this name stays whole until the new file is.

    Args:
        model: As `load_model` gave it, trained further or not; compiled or not.
        path: Where to; a name that ends in `.safetensors`.

    Raises:
        TypeError: This is no encoder.
        ValueError: The name ends in something else.
    """
    encoder, target = _encoder_of(model), Path(path)
    if target.suffix != ".safetensors":
        message = f"{target} is no name of a saved checkpoint; expected one that ends in .safetensors."
        raise ValueError(message)
    target.parent.mkdir(parents=True, exist_ok=True)
    heads = {name: encoder.heads[name] for name in encoder.heads}
    write_weights(Checkpoint(target, encoder.config, _own_weights(encoder), heads), target)
    return target


def write_weights(checkpoint: Checkpoint, path: Path, check: Callable[[Path], object] | None = None) -> None:
    """Write beside, check, rename: what lay there may be the source."""
    with written_whole(path) as written:
        save_file(tensors_of(checkpoint), written, metadata=metadata_of(checkpoint))
        if check is not None:
            check(written)


def _encoder_of(model: Any) -> BEATs:
    """The encoder itself: torch.compile wraps it."""
    encoder = getattr(model, "_orig_mod", model)
    if not isinstance(encoder, BEATs):
        message = (
            f"A {type(model).__name__} is no encoder that can be saved; expected what `load_model` gave. "
            "Of an extractor pass its `model`."
        )
        raise TypeError(message)
    return encoder


def _own_weights(encoder: BEATs) -> dict[str, Tensor]:
    """Without the heads and the description, which a file keeps in its own places."""
    state = encoder.state_dict()
    return {name: state[name] for name in state if name != DESCRIPTION and not name.startswith("heads.")}


def head_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors of the heads, by name."""
    parts = ((head, part) for head in checkpoint.heads.values() for part in ("weight", "bias"))
    return {f"{head.name}.{part}": getattr(head, part) for head, part in parts}


def tensors_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tensors of the encoder and of its heads, by name, as one file holds them."""
    tensors = checkpoint.weights | head_tensors(checkpoint)
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in sorted(tensors.items())}


def metadata_of(checkpoint: Checkpoint) -> dict[str, str]:
    """One entry only: safetensors writes several in any order, and one checkpoint must give one file."""
    return {KEY: describe_encoder(checkpoint.config, checkpoint.heads.values())}
