"""An encoder with a linear head, as one module that can be trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from beats_trainer.encoder.model import BEATs
from beats_trainer.encoder.pooling import pool
from beats_trainer.train.probe import Linear

HEAD_RATE = 10.0  # times the encoder's
MASKS = 2  # stretches of time, and of frequencies, that are left out of a clip
MASKED_FRAMES, MASKED_BINS = 0.1, 0.1  # of all, at most, in one stretch


class Tuned(nn.Module):
    """Waveforms in, logits out: the encoder up to a layer, pooled and normalised as a table's rows are.

    Args:
        encoder: It is changed in place.
        linear: The head to begin with.
        layer: Of the encoder.
        pooling: How patches become one vector.
        normalize: Whether vectors have length 1.
        masks: Whether stretches of time and frequency are left out while training.
    """

    def __init__(
        self, encoder: BEATs, linear: Linear, *, layer: int, pooling: str, normalize: bool, masks: bool = True
    ) -> None:
        super().__init__()
        self.encoder, self.layer, self.pooling, self.normalize = encoder, layer, pooling, normalize
        self.masks = masks
        self.weight = nn.Parameter(torch.from_numpy(linear.weight.copy()))
        self.bias = nn.Parameter(torch.from_numpy(linear.bias.copy()))
        for number, part in enumerate(encoder.encoder.layers, 1):
            part.requires_grad_(number <= layer)  # what lies behind the layer is not heard

    def forward(self, waveforms: Sequence[Tensor]) -> Tensor:
        """`(samples,)` each -> `(clips, labels)`; clips of equal length go together, none is padded."""
        found: dict[int, Tensor] = {}
        for places in _alike(waveforms):
            logits = self._logits(torch.stack([waveforms[place] for place in places]))
            found.update(zip(places, logits, strict=True))
        return torch.stack([found[place] for place in range(len(waveforms))])

    def _logits(self, batch: Tensor) -> Tensor:
        with torch.no_grad():
            energies = self.encoder.fbank(batch, short="pad")
            if self.training and self.masks:
                energies = _masked(energies)
        vectors = pool(self.encoder.encode(energies, [self.layer])[0], self.pooling)
        if self.normalize:
            vectors = functional.normalize(vectors, dim=-1)
        return functional.linear(vectors, self.weight, self.bias)

    def linear(self) -> Linear:
        """The head as it is now."""
        weight, bias = (one.detach().float().cpu().numpy().copy() for one in (self.weight, self.bias))
        return Linear(weight, bias)


def _alike(waveforms: Sequence[Tensor]) -> Iterator[list[int]]:
    """The places of clips of equal length, length by length."""
    lengths = [len(one) for one in waveforms]
    for length in dict.fromkeys(lengths):
        yield [place for place, one in enumerate(lengths) if one == length]


def _masked(energies: Tensor) -> Tensor:
    """`(batch, frames, bins)` without some stretches: SpecAugment (Park et al. 2019), 0 being the mean."""
    masked = energies.clone()
    for clip in masked:
        for _ in range(MASKS):
            _blank(clip, MASKED_FRAMES)
            _blank(clip.T, MASKED_BINS)
    return masked


def _blank(rows: Tensor, share: float) -> None:
    most = max(1, int(len(rows) * share))
    width = int(torch.randint(most + 1, ()))
    start = int(torch.randint(len(rows) - width + 1, ()))
    rows[start : start + width] = 0.0


def rate_groups(tuned: Tuned, *, rate: float, decay: float, layer_decay: float) -> list[dict[str, object]]:
    """Groups of parameters for AdamW: each layer learns slower than the one above; vectors do not decay.

    Args:
        tuned: What is trained.
        rate: Of the uppermost layer; the head's is ten times that.
        decay: Of matrices.
        layer_decay: What the rate of each further layer below is multiplied by.
    """
    groups = []
    for depth, parts in _by_depth(tuned):
        scale = HEAD_RATE if depth is None else layer_decay ** (tuned.layer - depth)
        for matrices in (True, False):
            chosen = [one for one in parts if (one.ndim > 1) is matrices and one.requires_grad]
            if chosen:
                groups.append(
                    {"params": chosen, "weight_decay": decay if matrices else 0.0, "rate": rate * scale}
                )
    return groups


def _by_depth(tuned: Tuned) -> Iterator[tuple[int | None, list[nn.Parameter]]]:
    """The head (no depth), each layer, and what lies before the first."""
    layers = list(tuned.encoder.encoder.layers[: tuned.layer])
    inside = {id(one) for part in layers for one in part.parameters()}
    yield None, [tuned.weight, tuned.bias]
    for depth, part in enumerate(layers, 1):
        yield depth, list(part.parameters())
    behind = {id(one) for part in tuned.encoder.encoder.layers for one in part.parameters()} - inside
    heads = {id(one) for one in tuned.encoder.heads.parameters()}
    known = inside | behind | heads
    yield 0, [one for one in tuned.encoder.parameters() if id(one) not in known]


def set_layerdrop(encoder: BEATs, share: float) -> None:
    """How often a layer is left out while training."""
    encoder.encoder.config = replace(encoder.encoder.config, encoder_layerdrop=share)
