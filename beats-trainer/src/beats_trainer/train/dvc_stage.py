"""A training as a stage of DVC's: `dvc.yaml` and `params.yaml`, written without importing DVC."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from beats_trainer.atomic import written_whole
from beats_trainer.foreign.plainyaml import load_yaml
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.background import NEGATIVES, NONE
from beats_trainer.train.head_file import ENCODER
from beats_trainer.train.run import HEAD, METRICS, PLOT, PREDICTIONS, SPLIT
from beats_trainer.train.settings import SECTION, TrainSettings

STAGES, PARAMS = "dvc.yaml", "params.yaml"
TUNED = ("tuned.parquet",)  # what fine-tuning leaves beside the encoder


@dataclass(frozen=True)
class StageRequest:
    """What `beats train` was asked for.

    Args:
        source: The labels.
        output: The folder of the run; its name is the stage's.
        table: What `beats embed` made; the stage makes it without one, and keeps it from run to run.
        split: A CSV of `beats split`, if there is one.
        options: Further words of the command.
        settings: How to learn: they go into `params.yaml`, under `train`.
    """

    source: Path
    output: Path
    table: Path | None
    split: Path | None
    options: Sequence[str]
    settings: TrainSettings


def write_stage(request: StageRequest, folder: Path) -> str:
    """Write the stage into the `dvc.yaml` of a folder, and the settings into its `params.yaml`.

    Args:
        request: What the stage does.
        folder: Where both lie; the paths of the request are as seen from there.

    Returns:
        The stage's name.

    Raises:
        LabelsError: A file is there that cannot be added to without losing what it says, or a path leads out.
    """
    name = request.output.name
    _inside(request)
    stages = _document(folder / STAGES, "stages")
    there = stages["stages"].get(name)
    stage = _stage(request)
    if there not in (None, stage):
        message = (
            f"{folder / STAGES} has another stage {name}: expected none, or this one. Train into another "
            "folder with -o, or take that stage out."
        )
        raise LabelsError(message)
    stages["stages"][name] = stage
    params = _document(folder / PARAMS, SECTION)
    params[SECTION] = asdict(request.settings)
    _write(stages, folder / STAGES)
    _write(params, folder / PARAMS)
    return name


def _stage(request: StageRequest) -> dict[str, Any]:
    run = request.output.as_posix()
    table = None if request.table is None else request.table.as_posix()
    split = None if request.split is None else request.split.as_posix()
    words = ["beats", "train", request.source.as_posix(), "-o", run, "--config", PARAMS, *request.options]
    words += ["--table", table] if table else []
    words += ["--split", split] if split else []
    noise = _noise_folder(request.settings)
    outs: list[Any] = [f"{run}/{file}" for file in (HEAD, PREDICTIONS, SPLIT)]
    if request.settings.method == "finetune":
        outs += [f"{run}/{file}" for file in (ENCODER, *TUNED)]
    if table is None:  # DVC removes what a stage makes before it runs again; embedding goes on from this
        outs.append({f"{run}/table.parquet": {"persist": True}})
    return {
        "cmd": shlex.join(words),
        "deps": [one for one in (request.source.as_posix(), table, split, noise) if one],
        "params": [SECTION],
        "outs": outs,
        "metrics": [{f"{run}/{METRICS}": {"cache": False}}],
        "plots": [{f"{run}/{PLOT}": {"cache": False, "x": "ap", "y": "label", "template": "bar_horizontal"}}],
    }


def _noise_folder(settings: TrainSettings) -> str | None:
    return None if settings.noise in (NEGATIVES, NONE) else Path(settings.noise).as_posix()


def _inside(request: StageRequest) -> None:
    """DVC tracks what lies below it, and a clone has no other paths."""
    noise = _noise_folder(request.settings)
    places = (request.source, request.output, request.table, request.split, Path(noise) if noise else None)
    for path in places:
        if path is not None and (path.is_absolute() or ".." in path.parts):
            message = (
                f"{path} leads out of this folder: expected a path below it, which a clone has too. Go "
                "to the top of the repository, or bring it in with `dvc add`."
            )
            raise LabelsError(message)


def _document(path: Path, section: str) -> dict[str, Any]:
    """What a YAML file says, with a section to add to; a comment would be lost, so that one is refused."""
    if not path.is_file():
        return {section: {}}
    text = path.read_text(encoding="utf-8")
    try:
        found = load_yaml(text) or {}
    except (ValueError, yaml.YAMLError) as error:
        message = f"{path} is no YAML that can be read: {str(error)[:200]}. Correct it, then run this again."
        raise LabelsError(message) from error
    if not isinstance(found, dict) or not isinstance(found.setdefault(section, {}) or {}, dict):
        message = f"{path} has no section {section} to add to: expected one with names. Correct it."
        raise LabelsError(message)
    if any(line.lstrip().startswith("#") for line in text.splitlines()):
        message = (
            f"{path} has comments, which would be lost: nothing was written. Take them out, or write the "
            "stage by hand: docs/train.md shows it."
        )
        raise LabelsError(message)
    found[section] = found[section] or {}
    return found


def _write(document: dict[str, Any], path: Path) -> None:
    with written_whole(path) as written:
        written.write_text(
            yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8", newline="\n"
        )
