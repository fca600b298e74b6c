"""The heads of fine-tuned files: a linear layer on each patch, the mean of its logits, and their labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["sigmoid", "softmax"]


class Head(nn.Module):
    """One head: weights, labels and how its logits become scores; None where the file does not say."""

    def __init__(
        self,
        name: str,
        weight: Tensor,
        bias: Tensor,
        labels: tuple[str, ...] | None = None,
        activation: Activation | None = None,
    ) -> None:
        super().__init__()
        self.name, self.labels, self.activation = name, labels, activation
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def __repr__(self) -> str:
        return f"{self.name} ({self.weight.shape[0]} labels)"

    def forward(self, patches: Tensor) -> Tensor:
        """What `logits` does."""
        return self.logits(patches)

    def logits(self, patches: Tensor) -> Tensor:
        """`(batch, patches, dim)` -> `(batch, labels)`: the mean over patches of each patch's logits."""
        trains = torch.is_grad_enabled() and not patches.is_inference()
        with torch.set_grad_enabled(trains):
            return functional.linear(patches, self.weight.to(patches), self.bias.to(patches)).mean(dim=1)

    def scores(self, patches: Tensor, activation: Activation | None = None) -> Tensor:
        """`(batch, patches, dim)` -> `(batch, labels)`, each in [0, 1]."""
        chosen = activation or self.activation
        logits = self.logits(patches)
        if chosen is None:
            message = (
                f"The file does not say whether the head {self.name!r} ends in a sigmoid or a softmax. "
                'Pass activation="sigmoid" (several labels can be true) or "softmax" (one is).'
            )
            raise ValueError(message)
        return logits.sigmoid() if chosen == "sigmoid" else logits.softmax(dim=-1)


class Heads(nn.ModuleDict):
    """Heads by name; a module's name has no dot, so a slash stands for it there."""

    def __getitem__(self, name: str) -> Head:
        """The head."""
        return cast(Head, super().__getitem__(name.replace(".", "/")))

    def __setitem__(self, name: str, head: nn.Module) -> None:
        """Put it there."""
        super().__setitem__(name.replace(".", "/"), head)

    def __contains__(self, name: object) -> bool:
        """Whether there is one."""
        return isinstance(name, str) and super().__contains__(name.replace(".", "/"))

    def __iter__(self) -> Iterator[str]:
        """The names, outermost last."""
        return (name.replace("/", ".") for name in super().__iter__())


def best_labels(scores: Tensor, labels: tuple[str, ...], k: int) -> list[list[tuple[str, float]]]:
    """The k best labels of each clip, best first."""
    values, index = torch.topk(scores, min(k, scores.shape[-1]), dim=-1)
    return [
        [(labels[i], score) for score, i in zip(row, places, strict=True)]
        for row, places in zip(values.tolist(), index.tolist(), strict=True)
    ]
