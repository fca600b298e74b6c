"""A checkpoint that was read becomes an encoder that runs."""

from __future__ import annotations

import torch

from beats_trainer.checkpoint.read import Checkpoint
from beats_trainer.encoder.model import BEATs


@torch.inference_mode(mode=False)
def build(checkpoint: Checkpoint, device: str | torch.device | None = None) -> BEATs:
    """The encoder of a checkpoint, in eval mode; its weights stay memory-mapped until they are moved."""
    with torch.device("meta"):
        model = BEATs(checkpoint.config)
    model.load_state_dict(checkpoint.weights, strict=True, assign=True)
    for name, head in checkpoint.heads.items():
        model.heads[name] = head
    return model.to(pick_device(device)).eval()


def pick_device(device: str | torch.device | None) -> torch.device:
    """The device that was asked for; "auto" or nothing is a GPU if there is one, else the CPU.

    Raises:
        ValueError: There is no such device here.
    """
    if device is None or device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device  # torch takes any number until something is to lie there
    except (RuntimeError, AssertionError) as error:
        message = (
            f"There is no device {str(device)!r} here: expected one of {', '.join(_devices())}. "
            'Take device="auto", which is a GPU if there is one.'
        )
        raise ValueError(message) from error


def _devices() -> list[str]:
    """Those that torch can use on this machine."""
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]
