"""The heads that a file of weights holds, and their labels, read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from beats_trainer.checkpoint.content import Words, parse_labels
from beats_trainer.checkpoint.layouts import Layout
from beats_trainer.encoder.heads import Activation, Head
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

_SPECIAL = ("<blank>", "<unk>", "<sos/eos>")


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
