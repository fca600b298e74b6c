"""The heads of fine-tuned files: a linear layer on each patch, the mean of its logits, and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from beats_trainer.content import Activation, Words, parse_labels
from beats_trainer.errors import CheckpointError
from beats_trainer.foreign.measure import shown
from beats_trainer.foreign.texts import (
    LARGEST_JSON,
    LARGEST_YAML,
    Field,
    Text,
    parse_json,
    parse_yaml,
    read_bytes,
)
from beats_trainer.formats import Layout

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
    """The heads that a file holds, with labels from the file or from the description beside it.

    Raises:
        CheckpointError: A head has another shape, or the description cannot be read.
    """
    described = _description(path, layout, config_path)
    heads = {}
    for name, tensors in layout.heads.items():
        _refuse_misshapen(path, name, tensors, dim)
        words = layout.words.get(name) or _words(name, layout, described)
        labels = _fitting(words.labels, tensors["weight"].shape[0])
        heads[name] = Head(name, tensors["weight"].float(), tensors["bias"].float(), labels, words.activation)
    return heads


def _words(name: str, layout: Layout, described: Words) -> Words:
    """Microsoft's own head has its labels in the file, and ends in a sigmoid."""
    if name != "predictor":
        return described
    return Words(layout.labels or (described.labels if len(layout.heads) == 1 else None), "sigmoid")


def _refuse_misshapen(path: Path, name: str, tensors: Mapping[str, Tensor], dim: int) -> None:
    shapes = {part: tuple(value.shape) for part, value in tensors.items()}
    count = next(iter(shapes.get("weight", ())), 0)
    if shapes == {"weight": (count, dim), "bias": (count,)}:
        return
    message = (
        f"{path}: the head {name!r} has {shown(shapes)}; expected weight (labels, {dim}) and bias (labels,). "
        "Nothing was loaded."
    )
    raise CheckpointError(message)


def _description(path: Path, layout: Layout, config_path: str | Path | None) -> Words:
    """Labels and activation from ESPnet's config.yaml or avex's label_map.json."""
    beside = path.with_name("config.yaml" if "decoder.linear_out" in layout.heads else "label_map.json")
    chosen = Path(config_path) if config_path is not None else beside
    if not layout.heads or (config_path is None and not chosen.is_file()):
        return Words()
    advice = "Nothing was loaded. Take the one that was published with the checkpoint, or move this one away."
    origin = Text("the description", str(chosen), advice, CheckpointError)
    if chosen.suffix == ".json":
        return Words(_label_map(parse_json(read_bytes(chosen, origin, LARGEST_JSON), origin)))
    return _espnet(parse_yaml(read_bytes(chosen, origin, LARGEST_YAML), origin))


def _espnet(config: Field) -> Words:
    activations: dict[str, Activation] = {"multi-label": "sigmoid", "multi-class": "softmax"}
    kind = config["model_conf"]["classification_type"].text()
    return Words(dict(enumerate(config["token_list"].texts())) or None, activations.get(kind))


def _label_map(labels: Field) -> dict[int, str] | None:
    """Either label -> index or index -> label."""
    fields = list(labels.fields())
    if any(isinstance(index.value, str) for _, index in fields):
        return parse_labels(labels)
    return {whole: label for label, index in fields if (whole := index.whole()) is not None} or None


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
