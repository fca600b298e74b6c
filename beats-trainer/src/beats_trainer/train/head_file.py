"""A head that was learnt from a table: what it is, and the small file that keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from beats_trainer.atomic import written_whole
from beats_trainer.errors import CheckpointError
from beats_trainer.foreign.texts import Field, Text, parse_json
from beats_trainer.table.settings import Settings
from beats_trainer.train.examples import Floats

KEY = "beats_head"  # of the text in the header
SUFFIX = ".safetensors"
ENCODER = "encoder.safetensors"  # in the folder of a run in which it learnt too
LARGEST = 1 << 31  # bytes
# What a reader must understand to give the scores that were measured.
REQUIRES = ("settings", "linear", "temperature")
# How recordings were cut and kept changes which clips there are, and not what one means.
CUTTING = ("hop_s", "last", "channels", "damaged", "dtype", "precision")
ADVICE = "Train it anew with `beats train`, or use the version of beats-trainer that wrote it."


@dataclass(frozen=True)
class TrainedHead:
    """A linear head on the embeddings of one encoder.

    Args:
        weight: `(labels, dim)`; `bias` `(labels,)`.
        labels: Their names.
        activation: Whether several labels can be true at once (`sigmoid`), or one is (`softmax`).
        temperature: What logits are divided by, fitted on the validation split.
        thresholds: The score from which each label counts as heard.
        settings: How its embeddings are made, its encoder's name and sha256 among it.
        layer: Of the encoder.
        method: How it was learnt.
        leak: Whether it was learnt from a split that leaks, so that its figures flatter.
    """

    weight: Floats
    bias: Floats
    labels: tuple[str, ...]
    activation: Literal["sigmoid", "softmax"]
    settings: Settings
    layer: int
    method: str
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    leak: bool = False

    def logits(self, vectors: Floats) -> Floats:
        """`(rows, dim)` -> `(rows, labels)`, divided by the temperature."""
        return (vectors @ self.weight.T + self.bias) / np.float32(self.temperature)

    def scores(self, vectors: Floats) -> Floats:
        """`(rows, dim)` -> `(rows, labels)`, each in [0, 1]."""
        return activate(self.logits(vectors), self.activation)


def activate(logits: Floats, activation: str) -> Floats:
    """Scores of logits, `(rows, labels)` both."""
    given = torch.from_numpy(np.ascontiguousarray(logits))
    return (given.sigmoid() if activation == "sigmoid" else given.softmax(dim=-1)).numpy()


def encoder_beside(head: Path) -> Path | None:
    """The encoder that learnt with a head, if it lies in the same folder."""
    path = head.parent / ENCODER
    return path if path.is_file() else None


def save_head(head: TrainedHead, path: Path) -> None:
    """Write a head: its numbers, and in the header all that makes scores of them."""
    said = {
        "requires": list(REQUIRES),
        "labels": list(head.labels),
        "activation": head.activation,
        "temperature": head.temperature,
        "thresholds": list(head.thresholds),
        "settings": asdict(head.settings) | {"layers": list(head.settings.layers)},
        "layer": head.layer,
        "method": head.method,
        "leak": head.leak,
    }
    tensors = {name: torch.from_numpy(getattr(head, name).copy()) for name in ("weight", "bias")}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as written:
        save_file(tensors, written, metadata={KEY: json.dumps(said, sort_keys=True)})


def is_head(path: Path) -> bool:
    """Whether a file is a head that was written here."""
    if path.suffix != SUFFIX or not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return KEY in (file.metadata() or {})
    except SafetensorError:
        return False


def load_head(path: Path) -> TrainedHead:
    """Read a head.

    Raises:
        CheckpointError: The file is none, or says something that this version does not understand.
    """
    origin = Text("the head", str(path), ADVICE, CheckpointError)
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(KEY, "")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except SafetensorError as error:
        origin.refuse(f"it is no safetensors file ({str(error)[:100]})", "a head of `beats train`", error)
    if not header or set(tensors) != {"weight", "bias"}:
        origin.refuse(f"it holds {', '.join(sorted(tensors)[:5]) or 'nothing'}", "a head of `beats train`")
    return _parse(parse_json(header, origin), tensors)


def _parse(said: Field, tensors: dict[str, torch.Tensor]) -> TrainedHead:
    _refuse_unknown(said)
    labels = said["labels"].texts()
    weight, bias = (tensors[name] for name in ("weight", "bias"))
    settings = _settings(said["settings"])
    if weight.shape != (len(labels), settings.dim) or bias.shape != (len(labels),):
        said.origin.refuse(
            f"its weight is {tuple(weight.shape)}", f"({len(labels)}, {settings.dim}), and a bias"
        )
    if not all(bool(torch.isfinite(one).all()) and one.dtype == torch.float32 for one in (weight, bias)):
        said.origin.refuse("its numbers are not finite float32", "finite ones")
    if said["activation"].text() not in ("sigmoid", "softmax"):
        said["activation"].refuse("sigmoid or softmax")
    if not said["temperature"].number() > 0:
        said["temperature"].refuse("a number above 0")
    thresholds = tuple(item.number() for item in said["thresholds"].items())
    if len(thresholds) not in (0, len(labels)):
        said["thresholds"].refuse("one for each label")
    return TrainedHead(
        weight.numpy(),
        bias.numpy(),
        labels,
        said["activation"].text(),  # type: ignore[arg-type] # looked at above
        settings,
        said["layer"].whole() or 0,
        said["method"].text(),
        said["temperature"].number(),
        thresholds,
        bool(said["leak"].value),
    )


def _refuse_unknown(said: Field) -> None:
    known = {"requires", *(field.name for field in fields(TrainedHead))} - {"weight", "bias"}
    for name, value in said.fields():
        if name not in known:
            value.refuse("no such field: this version of beats-trainer does not know it")
    for item in said["requires"].items():
        if item.text() not in REQUIRES:
            item.refuse(f"one of {', '.join(REQUIRES)}: this version of beats-trainer knows no more")


def _settings(said: Field) -> Settings:
    known = {field.name for field in fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in said.fields():
        if name not in known:
            value.refuse("no such field: this version of beats-trainer does not know it")
        values[name] = value.value
    try:
        return Settings(**values)
    except (TypeError, ValueError) as error:
        said.refuse(f"the settings of a table ({str(error)[:100]})", error)


def refuse_other_table(head: TrainedHead, settings: Settings, table: str) -> None:
    """A head's scores mean something on embeddings that were made as those that it was learnt from.

    Raises:
        CheckpointError: The table was made otherwise; what differs is named.
    """
    free = {"layers", *CUTTING, *(["checkpoint"] if head.settings.sha256 else [])}
    ours, theirs = asdict(head.settings), asdict(settings)
    names = [name for name in ours if name not in free and theirs[name] != ours[name]]
    differ = [f"{name} {theirs[name]!r} instead of {ours[name]!r}" for name in names]
    if head.layer not in settings.layers:
        differ.append(f"no layer {head.layer}")
    if differ:
        message = (
            f"{table} was made otherwise than what the head learnt from: {'; '.join(differ)}. Its scores "
            "would mean nothing. Embed the recordings as it wants: `beats classify RECORDINGS --model` does."
        )
        raise CheckpointError(message)
