"""Ours, SpeechBrain's BEATs and the `openbeats` package: each a function of a list of waveforms."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

# torchaudio comes built for CUDA: only its Python part is used, and nothing may bring another torch.
OTHERS = ("speechbrain==1.1.2", "openbeats==0.1.1", "torchaudio", "scipy", "joblib", "hyperpyyaml")
OTHERS += ("sentencepiece",)
Contender = Callable[[list[torch.Tensor]], list[torch.Tensor]]


def install(folder: Path) -> None:
    """Put the others into a folder of their own, beside the torch that is installed; once."""
    if not (folder / "speechbrain").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, *OTHERS], check=True)
        for library in (folder / "torchaudio" / "lib").glob("*.so"):
            library.unlink()


def load(name: str, path: Path, precision: str = "fp32") -> Contender:
    """A contender with the weights of a file, used as its documentation says."""
    return {
        "ours": partial(_ours, precision=precision),
        "SpeechBrain": _speechbrain,
        "openbeats": _openbeats,
    }[name](path)


def _ours(path: Path, precision: str) -> Contender:
    from beats_trainer.encoder.batches import embed
    from beats_trainer.load import load_model

    model = load_model(path, device="cpu", precision=precision)  # type: ignore[arg-type]
    return lambda waveforms: embed(model, waveforms)[0]


def _speechbrain(path: Path) -> Contender:
    from speechbrain.lobes.models.beats import BEATs

    model = BEATs(str(path))

    def run(waveforms: list[torch.Tensor]) -> list[torch.Tensor]:
        longest = max(map(len, waveforms))
        lengths = torch.tensor([len(w) / longest for w in waveforms])
        batch = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True)
        with torch.inference_mode():
            return list(model(batch, lengths)[0].mean(1))

    return run


def _openbeats(path: Path) -> Contender:
    from openbeats.model import OpenBeats

    model = OpenBeats.from_pretrained(str(path))
    return lambda waveforms: [model.encode(w.numpy())["patch_embeddings"].mean(0) for w in waveforms]
