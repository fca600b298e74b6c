"""`beats labels | split | train | evaluate`: a head from labels and a table."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beats_trainer.cli.output import plainly, put, put_table, say
from beats_trainer.embed.choices import DEFAULTS, Choices

if TYPE_CHECKING:
    from beats_trainer.train.annotations import Labels
    from beats_trainer.train.folds import CrossValidated
    from beats_trainer.train.head_file import TrainedHead
    from beats_trainer.train.run import Fitted
    from beats_trainer.train.settings import TrainSettings

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
LABEL_COLUMNS = ("label", "positives", "ap", "auroc", "precision", "recall", "threshold")
TABLE = "table.parquet"
SHORT = 4  # annotations as long as a clip, or it is far longer than they
by_option = click.option(
    "--by", default="auto", show_default=True, type=click.Choice(["auto", "recording", "site", "day"]),
    help="What stays on one side of the split; auto is the site from five sites on, else the recording.",
)  # fmt: skip


@click.command()
@click.argument("sources", nargs=-1, required=True, type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="The table of labels, a .parquet file.")
@click.option("--exhaustive", is_flag=True, help="All that is heard is annotated: the rest is without it.")
@plainly
def labels(sources: tuple[Path, ...], output: Path, *, exhaustive: bool) -> None:
    """Read labels of any form into one table.

    SOURCES are folders whose folders are named by label (`a,b` is two labels, `-a` is not heard, `noise`,
    `background`, `other` and `silence` are none), or files: a CSV with the columns recording and label, a
    Raven selection table, an Audacity label track, a table of labels; or a database of perch-hoplite.
    """
    from beats_trainer.train.annotations import count_labels, write_labels
    from beats_trainer.train.formats import read_labels

    found = read_labels(*sources, exhaustive=exhaustive)
    write_labels(found, output)
    counts = count_labels(found.annotations)
    put_table(("label", "annotations"), [(label, f"{count:,}") for label, count in counts.items()])
    say(f"{output}: {len(found.annotations):,} annotations of {len(counts):,} labels")


@click.command()
@click.argument("source", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="A CSV: recording, split.")
@by_option
@click.option("--val", default=0.15, show_default=True, help="The share to choose settings by.")
@click.option("--test", default=0.15, show_default=True, help="The share to be tried on.")
@click.option("--seed", default=0, show_default=True, help="Another seed deals otherwise.")
@plainly
def split(source: Path, output: Path, **options: Any) -> None:
    """Deal the recordings of SOURCE, labels of any form, out to train, val and test, group by group."""
    from collections import Counter

    from beats_trainer.train.formats import read_labels
    from beats_trainer.train.split import SPLITS, make_split, write_split

    dealt = make_split(read_labels(source), **options)
    write_split(dealt, output)
    counts = Counter(dealt.values())
    say(f"{output}: {', '.join(f'{counts[name]:,} {name}' for name in SPLITS)}")


@click.command()
@click.argument("source", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="The folder of the run.")
@click.option(
    "--table", type=PATH, help="What `beats embed` made of the recordings  [default: they are embedded]"
)
@click.option("--split", "split_file", type=FILE, help="A CSV of `beats split`  [default: dealt out]")
@click.option("--config", type=FILE, help="A params.yaml, with the settings under `train`.")
@click.option("--set", "assigned", multiple=True, metavar="KEY=VALUE", help="One setting; may be repeated.")
@click.option(
    "--method", type=click.Choice(["auto", "centroid", "probe", "finetune"]), help="As --set method=..."
)
@click.option("--balance", type=click.Choice(["none", "weight", "sample"]), help="As --set balance=...")
@click.option("--noise", metavar="FOLDER", help="Fine-tuning: as --set noise=..., what is mixed into clips.")
@by_option
@click.option("--folds", type=click.IntRange(3, 20), help="Learn once a fold; a column fold is obeyed.")
@click.option("--allow-leak", is_flag=True, help="Learn from a split that leaks; every output then says so.")
@click.option(
    "--model", help=f"The encoder, where there is no table or it is fine-tuned  [default: {DEFAULTS.model}]"
)
@click.option(
    "--clip-s", default=DEFAULTS.clip_s, show_default=True, help="Where there is no table: of a clip."
)
@click.option("--dvc", "as_stage", is_flag=True, help="Learn nothing now: write it as a stage of DVC's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def train(
    source: Path, output: Path, table: Path | None, split_file: Path | None, *, folds: int | None,
    as_stage: bool, as_json: bool, model: str | None, clip_s: float, **chosen: Any,
) -> None:  # fmt: skip
    """Learn to hear labels: SOURCE is labels of any form, or a folder of clips in folders named by label.

    The encoder stays as it is: a head on its embeddings is learnt, measured and written into the folder,
    as head.safetensors, with metrics.json, predictions.parquet, params.yaml and split.csv. With --method
    finetune the encoder learns too, from the sound itself, and lies there as encoder.safetensors; a run that
    was interrupted goes on when the same command is given again. Use it with
    `beats classify RECORDINGS --model FOLDER`.
    """
    from beats_trainer.train.formats import read_labels
    from beats_trainer.train.split import read_split

    settings = _settings(**chosen)
    if as_stage and folds:
        message = "a stage learns once: expected --dvc or --folds, not both. Leave one of them out."
        raise click.UsageError(message)
    if as_stage:
        _write_stage(source, output, table, split_file, settings, model, clip_s)
        return
    found = read_labels(source)
    splits = read_split(split_file) if split_file else None
    where = table or output / TABLE
    _advise_length(found, table, clip_s)
    if table is None:
        found = _embedded(found, where, str(model or DEFAULTS.model), clip_s)
    if folds:
        _print_folds(_validated(found, where, output, settings, folds, model), as_json=as_json)
        return
    fitted = _fitted(found, where, output, settings, splits, model)
    if fitted is None:
        return
    if as_json:
        put({"model": str(fitted.folder), **fitted.metrics})
    else:
        _print_figures(fitted)


def _advise_length(found: Labels, table: Path | None, clip_s: float) -> None:
    """A call that is a small part of its clip is a small part of its embedding too."""
    from beats_trainer.table.settings import settings_of
    from beats_trainer.train.annotations import median_length

    length, clip = median_length(found), settings_of(table).clip_s if table else clip_s
    if length is None or length * SHORT > clip:
        return
    shorter = max(0.5, round(2 * length, 1))
    times = 2 * clip / shorter
    say(
        f"half of the annotations last at most {length:.2g} s, and a clip {clip:g} s: `beats embed --clip-s "
        f"{shorter:g} --hop-s {shorter / 2:g}` hears them better, with {times:.0f} times the rows"
    )


def _write_stage(
    source: Path, output: Path, table: Path | None, split: Path | None, settings: TrainSettings,
    model: str | None, clip_s: float,
) -> None:  # fmt: skip
    from beats_trainer.train.dvc_stage import StageRequest, write_stage

    options = ["--model", model] if model else []
    options += ["--clip-s", f"{clip_s:g}"] if table is None else []
    name = write_stage(StageRequest(source, output, table, split, options, settings), Path())
    say(f"dvc.yaml has the stage {name}, params.yaml its settings under train. Next: dvc exp run, or")
    say("with another setting dvc exp run -S train.method=probe; dvc exp show compares, dvc push keeps.")


def _fitted(
    labels: Labels, table: Path, output: Path, settings: TrainSettings, splits: dict[str, str] | None,
    model: str | None,
) -> Fitted | None:  # fmt: skip
    """What was learnt; of several processes only the first has it."""
    from beats_trainer.train.run import fit

    if settings.method != "finetune":
        return fit(labels, table, output, settings, splits=splits)
    from beats_trainer.cli.tuning import shown_tuning
    from beats_trainer.fine_tuning import fit_encoder
    from beats_trainer.table.settings import settings_of

    encoder = model or settings_of(table).checkpoint
    with shown_tuning(settings) as callback:
        return fit_encoder(labels, table, output, settings, model=encoder, splits=splits, callback=callback)


def _validated(
    labels: Labels, table: Path, output: Path, settings: TrainSettings, folds: int, model: str | None
) -> CrossValidated:
    from beats_trainer.train.folds import cross_validate, make_folds

    def fit_fold(plain: Labels, folder: Path, splits: dict[str, str]) -> Fitted | None:
        say(folder.name)
        return _fitted(plain, table, folder, settings, splits, model)

    dealt = make_folds(labels, folds, by=settings.by, seed=settings.seed)
    return cross_validate(labels, dealt, output, fit_fold, seed=settings.seed)


def _print_folds(found: CrossValidated, *, as_json: bool) -> None:
    metrics = found.metrics
    if as_json:
        put({"model": str(found.folder), **metrics})
        return
    rows = [(name, f"{mean:.3f}", f"{metrics['spread'][name]:.3f}") for name, mean in metrics["mean"].items()]
    put_table(("figure", "mean of folds", "spread"), rows)
    if metrics["leak"]:
        say("THE SPLIT LEAKS: these figures flatter")
    click.echo(found.folder)


def _settings(
    *, config: Path | None, assigned: tuple[str, ...], by: str, allow_leak: bool, **words: str | None
) -> TrainSettings:
    """Of the file, then of each `--set`, then of the options that were given."""
    from beats_trainer.train.settings import TrainSettings, change_settings, parse_assignments, read_params

    given = {**words, "by": None if by == "auto" else by, "allow_leak": allow_leak or None}
    settings = read_params(config) if config else TrainSettings()
    settings = change_settings(settings, parse_assignments(assigned))
    return change_settings(settings, {name: value for name, value in given.items() if value is not None})


def _embedded(found: Labels, table: Path, model: str, clip_s: float) -> Labels:
    """Embed the recordings of the labels; the labels of those that could be."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        message = (
            "several processes cannot embed into one table: expected --table. Embed the recordings "
            "first with `beats embed`, then launch this."
        )
        raise click.ClickException(message)
    from beats_trainer.cli.embed import shown
    from beats_trainer.train.examples import Names

    missing = next((name for name in found.recordings if not Path(name).is_file()), None)
    if missing is not None:
        message = (
            f"the labels name {missing}, and it is not here: expected a path from this folder. Give --table, "
            "or go where the recordings are."
        )
        raise click.ClickException(message)
    table.parent.mkdir(parents=True, exist_ok=True)
    outcome = shown(found.recordings, table, Choices(model=model, clip_s=clip_s))
    failed = Names(line.recording for line in outcome.failed if line.embedded == "no")
    lost = {name for name in found.recordings if failed.find(name)}
    for name in sorted(lost):
        say(f"not learnt from, because it could not be embedded: {name}")
    return found.without(lost)


def _print_figures(fitted: Fitted) -> None:
    metrics = fitted.metrics
    name = next((one for one in ("test", "val", "train") if one in metrics), "train")
    figures = metrics.get(name)
    if figures is None:
        say("no figures: no label is known to be silent anywhere; see --exhaustive of beats labels")
        click.echo(fitted.folder)
        return
    put_table(LABEL_COLUMNS, [_row(label, values) for label, values in figures["labels"].items()])
    low, high = figures["interval"].get("cmap", (figures["cmap"],) * 2)
    say(f"{name}: cmAP {_cell(figures['cmap'])} ({low:.3f} to {high:.3f}), F1 {figures['f1']:.3f}, top-1 "
        f"{_cell(figures['top1'])}, calibration error {figures['ece']:.3f}")  # fmt: skip
    if metrics["leak"]:
        say("THE SPLIT LEAKS: these figures flatter")
    if metrics["alike"]:
        say(
            f"{metrics['alike']:,} clips outside of training sound nearly like one in it: figures may flatter"
        )
    click.echo(fitted.folder)


def _row(label: str, values: dict[str, Any]) -> tuple[str, ...]:
    return (label, *(_cell(values[name]) for name in LABEL_COLUMNS[1:]))


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


@click.command()
@click.argument("model", type=PATH)
@click.argument("source", type=PATH)
@click.option("--table", required=True, type=PATH, help="What `beats embed` made of the recordings.")
@click.option("-o", "--output", required=True, type=PATH, help="A folder for predictions and figures.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def evaluate(model: Path, source: Path, table: Path, output: Path, *, as_json: bool) -> None:
    """Measure MODEL, the folder of a run or its head, on SOURCE, labels of any form.

    The recordings of its training and validation, by the split.csv beside it, are left out.
    """
    from beats_trainer.train import run
    from beats_trainer.train.formats import read_labels
    from beats_trainer.train.split import read_split

    made = (model if model.is_dir() else model.parent) / run.SPLIT
    splits = read_split(made) if made.is_file() else None
    metrics = run.evaluate(read_head(model), read_labels(source), table, output, splits=splits)
    if metrics["left_out"]:
        say(f"{metrics['left_out']:,} recordings that the head was learnt from are left out")
    if as_json:
        put(metrics)
        return
    figures = metrics["all"]
    put_table(LABEL_COLUMNS, [_row(label, values) for label, values in figures["labels"].items()])
    say(f"cmAP {_cell(figures['cmap'])}, F1 {figures['f1']:.3f}, calibration error {figures['ece']:.3f}")


def find_head(model: str | Path) -> Path | None:
    """The head that a folder of a run, a path or `OWNER/NAME` leads to; None where it is something else."""
    from beats_trainer.hub.fetch import fetch_checkpoint
    from beats_trainer.hub.lookup import is_hub_name
    from beats_trainer.train.head_file import is_head
    from beats_trainer.train.run import HEAD

    path = Path(model)
    if is_hub_name(str(model)) and not path.exists():
        path = fetch_checkpoint(str(model))
    path = path / HEAD if path.is_dir() else path
    return path if is_head(path) else None


def find_encoder(model: str | Path, head: Path) -> Path | None:
    """The encoder that learnt with a head: in its folder, or in its repository; None where none did."""
    from beats_trainer.hub.fetch import fetch_checkpoint
    from beats_trainer.pins.address import parse_place
    from beats_trainer.train.head_file import ENCODER, encoder_beside, load_head

    beside = encoder_beside(head)
    if beside or Path(model).exists() or Path(load_head(head).settings.checkpoint).name != ENCODER:
        return beside
    name = str(model).removeprefix("hf://")
    return fetch_checkpoint(str(replace(parse_place(f"hf://{name}"), path=ENCODER)))


def read_head(model: str | Path) -> TrainedHead:
    """The head that is meant.

    Raises:
        FileNotFoundError: There is none.
    """
    from beats_trainer.train.head_file import load_head

    path = find_head(model)
    if path is None:
        message = f"there is no head at {model}. Expected the folder that `beats train` wrote, or its head."
        raise FileNotFoundError(message)
    return load_head(path)
