"""The largest differences to the golden outputs, waveform to result, as JSON: `python golden_whole.py`.

The golden outputs were computed where MKL takes its general FFT, as it does on AMD; on Intel it takes others,
whose rounding the logarithm of near-silence shows. `MKL_CBWR=COMPATIBLE` makes it take the general one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import torch
from beats_trainer.encoder.batches import embed
from beats_trainer.encoder.fbank import fbank
from golden_data import CLIPS, MIXED, TINY_FILES, base_model, reference, tiny_model


def main() -> None:
    """One line of JSON."""
    with torch.inference_mode():
        found = dict([*filter_bank(), *base(), *tiny(), *mixed()])
    print(json.dumps(found))


def filter_bank() -> Iterator[tuple[str, float]]:
    for clip, waveform in CLIPS.items():
        ours = fbank(torch.from_numpy(waveform).unsqueeze(0))[0]
        yield f"fbank/{clip}", _apart(ours, reference("fbank.npz")[f"fbank/{clip}"])


def base() -> Iterator[tuple[str, float]]:
    golden = reference("base_by_recipe.npz")
    for clip, waveform in CLIPS.items():
        hidden = base_model().hidden(waveform)
        means = torch.stack([layer[0].mean(0) for layer in hidden])
        yield f"base/{clip}/hidden_mean", _apart(means, golden[f"{clip}/hidden_mean"])
        yield f"base/{clip}/features", _apart(hidden[-1][0], golden[f"{clip}/features"])
        if f"{clip}/features64" in golden:
            exact = golden[f"{clip}/features64"]
            yield "float64/ours", _apart(hidden[-1][0], exact)
            yield "float64/original", _apart(golden[f"{clip}/features"], exact)


def tiny() -> Iterator[tuple[str, float]]:
    golden = reference("tiny_reference.npz")
    for file in TINY_FILES:
        for clip, waveform in CLIPS.items():
            if f"{file}/{clip}/features" not in golden:
                continue
            patches = tiny_model(file)(waveform)
            step = 4 if clip == "synthetic4_160000" else 1
            yield f"{file}/{clip}/features", _apart(patches[0, ::step], golden[f"{file}/{clip}/features"])
            if f"{file}/{clip}/logits" in golden:
                head = tiny_model(file).head("predictor")
                yield (
                    f"{file}/{clip}/logits",
                    _apart(head.logits(patches)[0], golden[f"{file}/{clip}/logits"]),
                )
                yield f"{file}/{clip}/probs", _apart(head.scores(patches)[0], golden[f"{file}/{clip}/probs"])


def mixed() -> Iterator[tuple[str, float]]:
    """The original's clip alone, and ours among others."""
    golden = reference("base_by_recipe.npz")
    together = embed(base_model(), [CLIPS[name] for name in MIXED], pooling="none")[0]
    for name, ours in zip(MIXED, together, strict=True):
        yield f"mixed/{name}", _apart(ours, golden[f"{name}/features"])


def _apart(ours: torch.Tensor | np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(np.asarray(ours) - theirs).max())


if __name__ == "__main__":
    main()
