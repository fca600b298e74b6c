"""The golden data, for the tests beside it."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.layouts import TABLE
from beats_trainer.checkpoint.read import Checkpoint, read_checkpoint
from beats_trainer.checkpoint.untrained import BASE, untrained_weights
from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.model import BEATs
from beats_trainer.sampling import FBANK_MEAN, FBANK_STD

GOLDEN = Path(__file__).parent / "golden"
TINY = GOLDEN / "tiny"
TINY_FILES = sorted(p.name for p in TINY.iterdir() if p.suffix != ".yaml")
MIXED = ["synthetic0_16000", "synthetic1_5120", "synthetic2_48000", "synthetic3_31999"]
CLIPS = dict(np.load(GOLDEN / "clips.npz"))


@lru_cache
def reference(name: str) -> dict[str, Any]:
    with np.load(GOLDEN / name) as archive:
        return dict(archive)


@lru_cache(maxsize=1)
def base_model() -> BEATs:
    """The full-size encoder with the weights of the recipe."""
    seed = json.loads(str(reference("base_by_recipe.npz")["meta"]))["seed"]
    weights = untrained_weights(seed)
    kept = {name: value for name, value in weights.items() if TABLE not in name or ".layers.0." in name}
    return build(Checkpoint(Path("recipe.pt"), BEATsConfig(), kept), "cpu")


@lru_cache
def tiny_model(file: str) -> BEATs:
    config = TINY / "espnet_finetuned_config.yaml" if file.startswith("espnet") else None
    return build(read_checkpoint(TINY / file, config_path=config), "cpu")


def energies(clip: str, config: BEATsConfig = BASE) -> torch.Tensor:
    """The original's filter bank of a clip, `(1, frames, 128)`, normalised as an encoder wants it."""
    golden = torch.from_numpy(reference("fbank.npz")[f"fbank/{clip}"]).unsqueeze(0)
    if (config.fbank_mean, config.fbank_std) == (FBANK_MEAN, FBANK_STD):
        return golden
    raw = golden.double() * 2 * FBANK_STD + FBANK_MEAN
    return ((raw - config.fbank_mean) / (2 * config.fbank_std)).float()


def features(model: BEATs, waveform: Any) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        return model(waveform)[0].numpy()
