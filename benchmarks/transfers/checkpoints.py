"""Writes a checkpoint of BEATs' base model, untrained, and fine-tuned copies of it.

python checkpoints.py BASE TUNED ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from beats_trainer.checkpoint.untrained import write_untrained

HEAD_CLASSES = 527


def main() -> None:
    """Write what the arguments name; each copy is trained otherwise."""
    base, *tuned = map(Path, sys.argv[1:])
    write_untrained(base)
    for seed, path in enumerate(tuned):
        write_finetuned(base, path, seed)


def write_finetuned(base: Path, path: Path, seed: int) -> None:
    """The last layer was trained further and a head added."""
    checkpoint = torch.load(base, weights_only=True)
    weights = checkpoint["model"]
    generator = torch.Generator().manual_seed(seed)
    last = max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layers."))
    for name, weight in weights.items():
        if name.startswith(f"encoder.layers.{last}."):
            weights[name] = weight + 1e-3 * torch.randn(weight.shape, generator=generator)
    width = weights["encoder.layer_norm.weight"].shape[0]
    weights["predictor.weight"] = torch.randn(HEAD_CLASSES, width, generator=generator)
    weights["predictor.bias"] = torch.randn(HEAD_CLASSES, generator=generator)
    torch.save(checkpoint, path)


if __name__ == "__main__":
    main()
