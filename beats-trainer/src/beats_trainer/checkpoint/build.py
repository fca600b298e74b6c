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
    """The device that was asked for; "auto" or nothing is a GPU if there is one, else the CPU."""
    if device is None or device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)
