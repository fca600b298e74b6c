"""`beats classify`: the labels that a fine-tuned checkpoint gives to recordings."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from beats_trainer.cli.output import plainly, put, put_table, say
from beats_trainer.encoder.audioset import display_names
from beats_trainer.errors import BeatsError
from beats_trainer.foreign.names import escaped

if TYPE_CHECKING:
    from beats_trainer.encoder.model import BEATs
    from beats_trainer.recordings.sources import Source

DEFAULT = "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2"
OF_HEADS = ("output", "form", "threshold", "events", "hop_s", "encoder")
OF_CHECKPOINTS = ("top", "clip_s", "head", "activation", "names", "truncated")  # a head says these itself


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--model", default=DEFAULT, show_default=True, help="A fine-tuned checkpoint: a name or a path."
)
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="Labels for each clip.")
@click.option("--clip-s", default=10.0, show_default=True, help="Seconds of a clip.")
@click.option("--head", help="Which head, where the checkpoint has several  [default: the outermost]")
@click.option(
    "--activation", type=click.Choice(["sigmoid", "softmax"]), help="Where the checkpoint does not say."
)
@click.option(
    "--names",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Names for other labels than AudioSet's: a CSV with the columns mid and display_name.",
)
@click.option(
    "--truncated",
    type=click.Choice(["error", "keep"]),
    default="error",
    show_default=True,
    help="Refuse recordings of which sound is missing, or classify what is there.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, ...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="Of a head of your own: .parquet for all scores, .csv for what is heard.",
)  # fmt: skip
@click.option(
    "--to", "form", type=click.Choice(["csv", "raven", "audacity"]), help="Of a head of your own: the form."
)
@click.option("--threshold", help="Of a head of your own: best, or a number  [default: best, else 0.5]")
@click.option("--events", is_flag=True, help="Of a head of your own: clips that touch become one event.")
@click.option("--hop-s", type=float, help="Of a head of your own: seconds between the starts of clips.")
@click.option("--encoder", help="Of a head of your own: its encoder, if its name does not lead to it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def classify(paths: tuple[str, ...], model: str, names: Path | None, as_json: bool, **options: Any) -> None:
    """Name what is heard in recordings, clip by clip, best label first.

    PATHS are what `beats embed` takes: files, folders, globs, .txt or .csv lists, URLs.

    With a head of your own, --model is the folder that `beats train` wrote, and PATHS may be a table.

    Recordings that cannot be read are reported, the others are classified, and the exit status is 1.
    """
    from beats_trainer.cli.train import find_encoder, find_head

    if head := find_head(model):
        from beats_trainer.cli.score import classify_with_head
        from beats_trainer.train.head_file import load_head

        _refuse_options(OF_CHECKPOINTS, f"is for a fine-tuned checkpoint, and {model} is a head of your own")
        encoder = options["encoder"] or find_encoder(model, head)
        given = {**options, "encoder": encoder, "as_json": as_json}
        classify_with_head(load_head(head), paths, given)
        return
    _refuse_options(OF_HEADS, f"is for a head that `beats train` wrote, and {model} is none")
    from beats_trainer.load import load_model
    from beats_trainer.report.sounds import open_recordings

    encoder = load_model(model, device=options["device"])
    known = {**display_names(), **(_names(names) if names else {})}
    found, failed = _found(paths)
    rows = []
    with open_recordings(fetch=True) as recordings:
        for source in found:
            try:
                with recordings.local(source.name) as path:
                    rows += _classified(encoder, source.name, path, known, options)
            except (BeatsError, OSError) as error:
                failed.append(source.name)
                say(f"{source.name}: {error}")
    _print(rows, as_json)
    if failed:
        raise click.exceptions.Exit(1)


def _refuse_options(names: Collection[str], reason: str) -> None:
    """Options that mean nothing for this model must not be passed by in silence."""
    context = click.get_current_context()
    for parameter in context.command.params:
        typed = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if typed and parameter.name in names:
            message = f"{parameter.opts[-1]} {reason}. Leave it out, or name another --model."
            raise click.ClickException(message)


def _found(places: Sequence[str]) -> tuple[list[Source], list[str]]:
    """The recordings that are meant, each named as it was given or found, and places where there is none."""
    from beats_trainer.recordings.sources import find_sources

    found, failed = [], []
    for place in places:
        try:
            found += [replace(s, name=escaped(s.location)) for s in find_sources([place])]
        except (ValueError, OSError) as error:
            failed.append(place)
            say(f"{place}: {error}")
    return found, failed


def _classified(
    encoder: BEATs, name: str, path: Path, names: dict[str, str], options: dict[str, Any]
) -> list[dict[str, Any]]:
    try:
        return list(_rows(encoder, name, path, names, options))
    except LookupError as error:  # no head, or none of this name: nothing can be classified
        raise click.ClickException(str(error.args[0])) from error


def _rows(
    encoder: BEATs, name: str, path: Path, names: dict[str, str], options: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    from beats_trainer.audio.clips import ClipPlan, cut_clips
    from beats_trainer.audio.read import stream_waveform

    chosen = {key: options[key] for key in ("top", "head", "activation")}
    blocks = stream_waveform(path, truncated=options["truncated"])
    for clip in cut_clips(blocks, ClipPlan(clip_s=options["clip_s"])):
        for label, score in encoder.classify(clip.waveform, short="pad", **chosen)[0]:
            yield {
                "recording": name,
                "start_s": clip.start_s,
                "end_s": clip.end_s,
                "label": label,
                "name": names.get(label),
                "score": round(score, 6),
            }


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        put(rows)
        return
    head = ("recording", "start_s", "end_s", "score", "label", "name")
    put_table(head, [tuple(_cell(row[key]) for key in head) for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else str(value)


def _names(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"mid", "display_name"} <= set(reader.fieldnames or ()):
            message = f"{path} has the columns {reader.fieldnames}; expected mid and display_name."
            raise click.ClickException(message)
        return {row["mid"]: row["display_name"] for row in reader}
