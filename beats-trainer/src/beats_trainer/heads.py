"""The heads of fine-tuned files: a linear layer on each patch, the mean of its logits, and their labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional

from beats_trainer.errors import CheckpointError
from beats_trainer.formats import Layout

Activation = Literal["sigmoid", "softmax"]
_SPECIAL = ("<blank>", "<unk>", "<sos/eos>")


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


def read_heads(path: Path, layout: Layout, dim: int, config_path: str | Path | None) -> dict[str, Head]:
    """The heads that a file holds, with labels from the file or from the description beside it."""
    described, activation = _description(path, layout, config_path)
    heads = {}
    for name, tensors in layout.heads.items():
        _refuse_misshapen(path, name, tensors, dim)
        own = name == "predictor"  # Microsoft's: its labels are in the file, and it ends in a sigmoid
        labels = layout.labels or (described if len(layout.heads) == 1 else None) if own else described
        ends = "sigmoid" if own else activation
        if name in layout.said_of_heads:
            labels, ends = _said(layout.said_of_heads[name])
        heads[name] = Head(
            name,
            tensors["weight"].float(),
            tensors["bias"].float(),
            _fitting(labels, tensors["weight"].shape[0]),
            ends,
        )
    return heads


def _said(head: Mapping[str, Any]) -> tuple[dict[int, str] | None, Activation | None]:
    """Labels and activation from the header that `beats publish` writes."""
    labels, ends = head.get("labels"), head.get("activation")
    if ends is not None and ends not in get_args(Activation):
        message = f"it says {ends!r:.60} of how a head ends; expected {' or '.join(get_args(Activation))}"
        raise CheckpointError(message)
    return dict(enumerate(map(str, labels))) if isinstance(labels, list) else None, ends


def _refuse_misshapen(path: Path, name: str, tensors: Mapping[str, Tensor], dim: int) -> None:
    shapes = {part: tuple(value.shape) for part, value in tensors.items()}
    count = shapes.get("weight", (0,))[0]
    if shapes == {"weight": (count, dim), "bias": (count,)}:
        return
    message = (
        f"{path}: the head {name!r} has {shapes}; expected weight (labels, {dim}) and bias (labels,). "
        "Nothing was loaded."
    )
    raise CheckpointError(message)


def _description(
    path: Path, layout: Layout, config_path: str | Path | None
) -> tuple[dict[int, str] | None, Activation | None]:
    """Labels and activation from ESPnet's config.yaml or avex's label_map.json."""
    beside = path.with_name("config.yaml" if "decoder.linear_out" in layout.heads else "label_map.json")
    chosen = Path(config_path) if config_path is not None else beside
    if not layout.heads or (config_path is None and not chosen.is_file()):
        return None, None
    text = chosen.read_text(encoding="utf-8")
    if chosen.suffix == ".json":
        return _label_map(json.loads(text)), None
    return _espnet(yaml.safe_load(text))


def _espnet(content: Any) -> tuple[dict[int, str] | None, Activation | None]:
    kind = str((content.get("model_conf") or {}).get("classification_type"))
    activations: dict[str, Activation] = {"multi-label": "sigmoid", "multi-class": "softmax"}
    return dict(enumerate(content.get("token_list") or [])) or None, activations.get(kind)


def _label_map(content: Mapping[str, Any]) -> dict[int, str]:
    """Either label -> index or index -> label."""
    if all(isinstance(value, int) for value in content.values()):
        return {value: str(label) for label, value in content.items()}
    return {int(index): str(label) for index, label in content.items()}


def _fitting(labels: Mapping[int, str] | None, count: int) -> tuple[str, ...] | None:
    """Labels 0 to count - 1, if that is what there is; ESPnet's special tokens may have no output."""
    if labels is None:
        return None
    if sorted(labels) != list(range(count)):
        plain = [label for _, label in sorted(labels.items()) if label not in _SPECIAL]
        labels = dict(enumerate(plain))
    return tuple(labels[i] for i in range(count)) if len(labels) == count else None


def best(scores: Tensor, labels: tuple[str, ...], k: int) -> list[list[tuple[str, float]]]:
    """The k best labels of each clip, best first."""
    values, index = torch.topk(scores, min(k, scores.shape[-1]), dim=-1)
    return [
        [(labels[i], score) for score, i in zip(row, places, strict=True)]
        for row, places in zip(values.tolist(), index.tolist(), strict=True)
    ]
