"""A checkpoint of any layout in, the files of a model repository out: safetensors with its config inside."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.read import Checkpoint, read_checkpoint
from beats_trainer.checkpoint.write import head_tensors, write_weights
from beats_trainer.errors import BeatsError, CheckpointError
from beats_trainer.pins.pin import WEIGHTS_NAME
from beats_trainer.publish.card import Statement, model_card
from beats_trainer.publish.hub_words import short_name
from beats_trainer.sampling import SAMPLE_RATE

CHECK_SAMPLES = SAMPLE_RATE  # a second

DEMANDS = {"by": "attribution", "nc": "no commercial use", "sa": "the same licence", "nd": "no changes"}


def write_publication(source: Path, folder: Path, statement: Statement) -> list[Path]:
    """Writes the files of a repository and compares them with the source before anything is sent.

    Raises:
        CheckpointError: The converted file does not give exactly what the source gives.
    """
    checkpoint = read_checkpoint(source)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS_NAME
    write_weights(checkpoint, weights, lambda written: check_equal(checkpoint, read_checkpoint(written)))
    files = [weights, _write(folder / "config.json", _config(checkpoint, statement))]
    if labels := _label_map(checkpoint):
        files.append(_write(folder / "label_map.json", labels))
    files.append(_write(folder / "README.md", model_card(weights, checkpoint, statement)))
    return files


def check_equal(source: Checkpoint, converted: Checkpoint) -> None:
    """Compares config, every tensor, and the embedding of a second of noise, all of them exactly."""
    if source.config != converted.config:
        _differ("the config", source.config, converted.config)
    for kind, ours, theirs in (
        ("tensor", source.weights, converted.weights),
        ("head", head_tensors(source), head_tensors(converted)),
    ):
        differ = [name for name in ours.keys() | theirs.keys() if not _same(ours.get(name), theirs.get(name))]
        if differ:
            _differ(f"the {kind} {sorted(differ)[0]}", "equal numbers", "others")
    noise = torch.randn(CHECK_SAMPLES, generator=torch.Generator().manual_seed(0)) * 0.1
    with torch.inference_mode():
        before, after = (build(one, "cpu")(noise) for one in (source, converted))
    if not torch.equal(before, after):
        _differ("the embedding of noise", "equal numbers", f"{(before - after).abs().max():.1e} apart")


def _same(ours: Tensor | None, theirs: Tensor | None) -> bool:
    return ours is not None and theirs is not None and torch.equal(ours, theirs)


def _differ(what: str, expected: object, got: object) -> NoReturn:
    message = (
        f"{what} changed on conversion: expected {expected}, got {got}. Nothing was published; report this."
    )
    raise CheckpointError(message)


def _config(checkpoint: Checkpoint, statement: Statement) -> str:
    known = {"model_type": "beats", "library_name": "beats-trainer", **asdict(checkpoint.config)}
    if statement.base_model:
        known["base_model"] = statement.base_model
    return json.dumps(known, indent=2, sort_keys=True) + "\n"


def _label_map(checkpoint: Checkpoint) -> str:
    labels = next((head.labels for head in checkpoint.heads.values() if head.labels), None)
    return json.dumps(dict(enumerate(labels)), indent=2, ensure_ascii=False) + "\n" if labels else ""


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


# What a licence demands, as far as its name says it: enough to see that one is not lowered.
class LicenceError(BeatsError, ValueError):
    """A licence that the base of a checkpoint does not allow."""


def licence_demands(licence: str) -> set[str]:
    """The Creative Commons conditions in a licence's name, short or written out."""
    return set(re.split(r"[\W_]+", short_name(licence))) & DEMANDS.keys()


def check_licence(licence: str, base: str, base_name: str) -> None:
    """Refuses a licence that grants more than that of the base.

    Raises:
        LicenceError: With what the base demands.
    """
    wanted = licence_demands(base)
    missing = wanted - licence_demands(licence)
    same = "sa" in wanted and short_name(licence) != short_name(base)
    if missing or same:
        demands = ", ".join(DEMANDS[name] for name in sorted(missing)) or DEMANDS["sa"]
        message = (
            f"{base_name} has the licence {base}, and {licence} would lower it: expected {demands}. "
            f"Publish under {base}."
        )
        raise LicenceError(message)
