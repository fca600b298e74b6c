"""Fine-tuning from end to end: a head on the table, the encoder with it, the table anew, and the figures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from beats_trainer.checkpoint.write import save_checkpoint
from beats_trainer.embed.choices import Choices
from beats_trainer.embed.start import embed_chosen
from beats_trainer.encoder.model import BEATs
from beats_trainer.errors import CheckpointError
from beats_trainer.load import load_found, locate
from beats_trainer.pins.digest import file_digest
from beats_trainer.table.settings import Settings
from beats_trainer.train.annotations import Labels, LabelsError
from beats_trainer.train.background import background_of
from beats_trainer.train.balance import balanced
from beats_trainer.train.finetune import STATE, Callback, fine_tune
from beats_trainer.train.head_file import ENCODER
from beats_trainer.train.probe import activation_of
from beats_trainer.train.run import Fitted, conclude, learn_linear, prepare
from beats_trainer.train.settings import TrainSettings
from beats_trainer.train.sounds import Augment, sounds_of
from beats_trainer.train.tune_batches import Task

TABLE = "tuned.parquet"


def fit_encoder(
    labels: Labels,
    table: str | PathLike[str],
    output: str | PathLike[str],
    settings: TrainSettings,
    *,
    model: str | PathLike[str],
    splits: dict[str, str] | None = None,
    augment: Augment | None = None,
    callback: Callback | None = None,
) -> Fitted | None:
    """Train the encoder that made a table, with a head, and write what `fit` writes and the encoder.

    Args:
        labels: What is heard where; their recordings are read.
        table: What `beats embed` made of them with that encoder.
        output: The folder: `encoder.safetensors`, `tuned.parquet`, the recordings embedded with it, and what
            `fit` writes. An interrupted run goes on from what is there.
        settings: How.
        model: The encoder, by name or path.
        splits: The split of each recording; dealt out without it.
        augment: A further change of `(samples, sample_rate)` of each clip that is learnt from.
        callback: As `fine_tune` calls it.

    Returns:
        The head and its figures; in all processes but the first nothing.

    Raises:
        LabelsError: As `fit`; the state in the folder is that of another run; or nothing is heard after it.
        CheckpointError: The encoder is not the one that made the table.
    """
    output = Path(output)
    material = prepare(labels, table, settings, splits=splits)
    made = material.clips.settings
    layer = made.layers[made.columns.index(material.clips.column)]
    _refuse_layer(layer)
    encoder, sha256 = _encoder(model, made)
    examples = material.examples
    activation = activation_of(examples)
    train = examples.of("train")
    if settings.balance == "weight":
        train = balanced(train, "weight")
    sounds = sounds_of(material.clips)
    task = Task(
        train, examples.of("val"), sounds, activation, settings, augment,
        background_of(settings.noise, train, sounds),
    )  # fmt: skip
    start = learn_linear(examples, replace(settings, method="probe"))
    linear = fine_tune(
        encoder, start, task, output, layer=layer, pooling=made.pooling,
        normalize=made.normalize, sha256=sha256, callback=callback,
    )  # fmt: skip
    if os.environ.get("RANK", "0") != "0":
        return None
    save_checkpoint(encoder, output / ENCODER)
    try:
        _embed_anew(examples.recordings, output, made, layer)
    except CheckpointError as error:
        raise _deaf(output, settings) from error
    fitted = conclude(
        prepare(labels, output / TABLE, replace(settings, layer=None), splits=material.splits),
        linear, output, settings, method="finetune", base=made,
    )  # fmt: skip
    (output / STATE).unlink(missing_ok=True)  # last: until here all of it can be had again
    return fitted


def _refuse_layer(layer: int) -> None:
    if layer == 0:
        message = (
            "layer 0 is what goes into the first layer, so nothing of the encoder lies below it. "
            "Embed a higher layer, or train with --method probe."
        )
        raise LabelsError(message)


def _deaf(output: Path, settings: TrainSettings) -> LabelsError:
    return LabelsError(
        f"{output / ENCODER} learnt to hear nothing: it gives the same for all sound. train.rate="
        f"{settings.rate:g} is too high: say --set rate={settings.rate / 5:g}, and another folder with -o."
    )


def _encoder(model: str | PathLike[str], made: Settings) -> tuple[BEATs, str]:
    found = locate(model)
    sha256 = found.sha256 or file_digest(found.path, "sha256")
    if made.sha256 != sha256:
        message = (
            f"{model} is not the encoder of the table: expected sha256 {made.sha256}, got {sha256}. Name "
            "that one with --model, or embed the recordings anew."
        )
        raise CheckpointError(message)
    return load_found(found, device="cpu"), sha256


def _embed_anew(recordings: Sequence[str], output: Path, made: Settings, layer: int) -> None:
    """The recordings as the new encoder hears them, cut as before."""
    choices = Choices(
        model=output / ENCODER, clip_s=made.clip_s, hop_s=made.hop_s, last=made.last, layers=(layer,),
        pooling=made.pooling, normalize=made.normalize, channels=made.channels, damaged=made.damaged,  # type: ignore[arg-type]
        dtype=made.dtype, resume=False,
    )  # fmt: skip
    name = f"{output.resolve().name}/{ENCODER}"
    embed_chosen(list(dict.fromkeys(recordings)), output / TABLE, choices, checkpoint=name)
