"""How a head is learnt: every choice once, with its default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from beats_trainer.foreign.measure import shown
from beats_trainer.foreign.plainyaml import load_yaml
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.balance import Balance
from beats_trainer.train.examples import Weak
from beats_trainer.train.split import By

Method = Literal["auto", "centroid", "probe", "finetune"]
SECTION = "train"  # of params.yaml
FEWEST_EXAMPLES = 5  # of each label, for a probe; with fewer the mean of a label's vectors does better
_WORDS = {
    "method": get_args(Method),
    "balance": get_args(Balance),
    "by": get_args(By),
    "weak": get_args(Weak),
}


@dataclass(frozen=True)
class TrainSettings:
    """What `fit` does.

    Args:
        method: `centroid`, `probe`, or `auto`: the centroid where a label has fewer than five examples;
            `finetune` goes on from there with the encoder itself.
        strength: C of the probe; chosen on the validation split without it.
        balance: `weight` counts each label's rarer side as much as its other, `sample` draws rare labels more
            often.
        layer: Of a table with several; the last without it.
        by: What stays on one side of the split.
        weak: What a label without times is said of: all clips of its recording together, or each (`copy`).
        val: The share to choose settings by.
        test: The share to be tried on.
        seed: Of the split and of the intervals.
        epochs: Of fine-tuning, at most; `batch` units a step, in `accumulate` parts one after another.
        rate: Of its uppermost layer; each layer below learns by `layer_decay` of the one above.
        patience: Epochs without a better validation loss after which it ends.
        layerdrop: How often it leaves out a layer.
        augment: Whether clips are rolled, made louder or softer, masked and mixed, the last by `mixup`.
        noise: What is mixed into clips: `negatives`, those known to hold no label; `none`; or a folder.
        smoothing: Of targets, where one label is true of each clip.
        allow_leak: Learn although the split leaks; every output then says so.

    Raises:
        LabelsError: A value is none of these.
    """

    method: Method = "auto"
    strength: float | None = None
    balance: Balance = "none"
    layer: int | None = None
    by: By = "auto"
    weak: Weak = "bag"
    val: float = 0.15
    test: float = 0.15
    seed: int = 0
    allow_leak: bool = False
    epochs: int = 30
    batch: int = 32
    accumulate: int = 1
    rate: float = 5e-5
    layer_decay: float = 0.75
    patience: int = 10
    layerdrop: float = 0.1
    augment: bool = True
    mixup: float = 0.4
    smoothing: float = 0.1
    noise: str = "negatives"

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                _refuse(name, getattr(self, name), f"one of {', '.join(words)}")
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                _refuse(name, value, _WANTED.get(kinds[0], "a number"))
        if not self.noise:
            _refuse("noise", self.noise, "negatives, none, or a folder")
        if self.strength is not None and not 0 < self.strength < 1e9:
            _refuse("strength", self.strength, "a number above 0")
        for name, (low, high) in _BOUNDS.items():
            if not low <= getattr(self, name) <= high:
                _refuse(name, getattr(self, name), f"a number from {low:g} to {high:g}")


_KINDS: Mapping[str, tuple[type, ...]] = {
    "strength": (int, float, type(None)),
    "layer": (int, type(None)),
    "val": (int, float),
    "test": (int, float),
    "seed": (int,),
    "allow_leak": (bool,),
    **dict.fromkeys(("epochs", "batch", "accumulate", "patience"), (int,)),
    **dict.fromkeys(("rate", "layer_decay", "layerdrop", "mixup", "smoothing"), (int, float)),
    "augment": (bool,),
    "noise": (str,),
}
_WANTED: Mapping[type, str] = {bool: "true or false", str: "a word or a folder"}
_BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("epochs", "batch", "accumulate", "patience"), (1, 1e6)),
    **dict.fromkeys(("layer_decay", "mixup", "smoothing"), (0, 1)),
    "layerdrop": (0, 0.9),
    "rate": (1e-9, 1),
}


def _refuse(name: str, value: object, expected: str) -> None:
    message = (
        f"the setting {SECTION}.{name} is {shown(value)}; expected {expected}. Correct it, then train again."
    )
    raise LabelsError(message)


def read_params(path: Path) -> TrainSettings:
    """The settings of a `params.yaml`, under `train`; what is not there has its default."""
    try:
        whole = load_yaml(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        message = f"{path} is no YAML that can be read: {str(error)[:200]}. Correct it, then train again."
        raise LabelsError(message) from error
    section = whole.get(SECTION) if isinstance(whole, dict) else None
    if not isinstance(section, dict):
        message = f"{path} has no section {SECTION}: expected one with {', '.join(_names())}. Add it."
        raise LabelsError(message)
    return change_settings(TrainSettings(), section)


def change_settings(settings: TrainSettings, values: Mapping[Any, Any]) -> TrainSettings:
    """The same with some values changed.

    Raises:
        LabelsError: There is no such setting, or no such value.
    """
    for name in values:
        if name not in _names():
            message = (
                f"there is no setting {shown(name)}: expected one of {', '.join(_names())}. Correct its name."
            )
            raise LabelsError(message)
    return replace(settings, **{str(name): value for name, value in values.items()})


def parse_assignments(texts: Sequence[str]) -> dict[str, Any]:
    """`key=value` texts, as `--set` takes them; the values as YAML has them."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            message = f"{shown(text)} sets nothing: expected KEY=VALUE, such as method=probe. Write it so."
            raise LabelsError(message)
        values[name.removeprefix(f"{SECTION}.")] = yaml.safe_load(value)
    return values


def write_params(settings: TrainSettings, path: Path) -> None:
    """Write a `params.yaml`."""
    text = yaml.safe_dump({SECTION: asdict(settings)}, sort_keys=False)
    path.write_text(text, encoding="utf-8", newline="\n")


def _names() -> list[str]:
    return [field.name for field in fields(TrainSettings)]
