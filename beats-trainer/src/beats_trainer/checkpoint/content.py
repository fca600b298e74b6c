"""What the container of a checkpoint gave, as types: tensors by name, config, labels, words on its heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from beats_trainer.encoder.description import DESCRIPTION, read_description, read_tensor
from beats_trainer.encoder.heads import Activation
from beats_trainer.errors import CheckpointError
from beats_trainer.foreign.measure import find_excess, shown
from beats_trainer.foreign.texts import Field, Text, bounded_field

HEADS_SAID = "beats_heads"  # no file of others has it
LONGEST_INDEX = 9  # digits
MOST_VALUES = 200_000  # a file with its optimizer has some 10,000
_WRAPPERS = ("model", "model_state_dict", "state_dict")
ADVICE = "Nothing was loaded. Fetch it again, or ask its publisher for a whole one."


@dataclass(frozen=True)
class Words:
    """What is said of a head beside its weights; None where nothing is."""

    labels: dict[int, str] | None = None
    activation: Activation | None = None


@dataclass(frozen=True)
class Content:
    """Everything that a file holds and this package reads; what else is in it is dropped here."""

    tensors: Mapping[str, Tensor]
    config: Mapping[str, object] | None = None
    labels: dict[int, str] | None = None
    words: Mapping[str, Words] = field(default_factory=dict)  # of `beats publish`, in the heads' order


def parse_content(path: Path, content: object) -> Content:
    """Content, of what a pickle or a safetensors file gave.

    Raises:
        CheckpointError: It is no dictionary, or a value is of no use; the message names the field.
    """
    whole = Field(Text("the checkpoint", str(path), ADVICE, CheckpointError), "", content)
    if not isinstance(content, dict):
        message = (
            f"{path} is no checkpoint: it holds a {type(content).__name__}; expected a dictionary of "
            "tensors. Look for the file that holds the encoder."
        )
        raise CheckpointError(message)
    _refuse_endless(whole)
    tensors = _tensors(_state(whole))
    own = _take_description(tensors, whole.origin)
    config = whole["cfg"] if whole["cfg"].is_table() else own["config"]
    return Content(
        tensors,
        dict(config.named()) if config.is_table() else None,
        parse_labels(whole["label_dict"]) if whole["label_dict"].is_table() else None,
        _words(whole[HEADS_SAID]) or _words(own["heads"]),
    )


def _take_description(tensors: dict[str, Tensor], origin: Text) -> Field:
    """What a model said of itself when it was saved; what stands beside it is the file's own word."""
    for name in tensors:
        if name.rpartition(".")[2] == DESCRIPTION:
            return read_tensor(tensors.pop(name), origin)
    return Field(origin, "", None)


def parse_header(path: Path, text: str) -> dict[str, Any]:
    """What `beats publish` keeps in the header of its files, under the names that pickles have."""
    said = read_description(text, Text("the header of", str(path), ADVICE, CheckpointError))
    names = {"cfg": "config", "label_dict": "labels", HEADS_SAID: "heads"}
    return {ours: said[theirs].value for ours, theirs in names.items()}


def parse_labels(labels: Field) -> dict[int, str] | None:
    """Labels by their index."""
    named = {}
    for key, value in labels.table().items():
        index = Field(labels.origin, f"an index in {labels.name or 'the whole'}", key)
        label = Field(labels.origin, f"{labels.name}[{str(key)[:LONGEST_INDEX]}]", value)
        named[_index(index)] = label.text()
    return named or None


def _index(key: Field) -> int:
    if isinstance(key.value, str) and len(key.value) <= LONGEST_INDEX and key.value.isdecimal():
        return int(key.value)
    whole = key.whole()
    if whole is None:
        key.refuse("a whole number")
    return whole


def _refuse_endless(whole: Field) -> None:
    """A pickle may name one list many times, or within itself: what is read of it is walked through once."""
    if not find_excess(whole.value, MOST_VALUES):
        return
    for name, value in whole.table().items():
        outer = Field(whole.origin, shown(name), value)
        for inner, held in outer.table().items() if outer.is_table() else ():
            bounded_field(held, whole.origin, f"{outer.name}, {shown(inner)}", MOST_VALUES)
        bounded_field(value, whole.origin, outer.name, MOST_VALUES)
    bounded_field(whole.value, whole.origin, most=MOST_VALUES)


def _state(whole: Field) -> Field:
    inner = [whole[name] for name in _WRAPPERS if whole[name].is_table()]
    return inner[0] if inner else whole


def _tensors(state: Field) -> dict[str, Tensor]:
    named = {key: value for key, value in state.table().items() if isinstance(value, Tensor)}
    return {Field(state.origin, "a tensor's name", key).text(): value for key, value in named.items()}


def _words(heads: Field) -> dict[str, Words]:
    return {head["name"].text(): _words_of(head) for head in heads.items()}


def _words_of(head: Field) -> Words:
    labels = None if head["labels"].value is None else dict(enumerate(head["labels"].texts()))
    return Words(labels, parse_activation(head["activation"]))


def parse_activation(activation: Field) -> Activation | None:
    """How a head ends, if that is said."""
    said = activation.text()
    for known in get_args(Activation):
        if said == known:
            return known  # type: ignore[no-any-return]
    if said:
        activation.refuse(f"{' or '.join(get_args(Activation))}")
    return None
