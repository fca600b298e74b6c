"""`beats search | convert`: what a table is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from beats_trainer.commands.output import plainly, put, put_table, say

PATH = click.Path(path_type=Path)
FORMATS = ["npz", "csv", "raven", "audacity"]


@click.command()
@click.argument("table", type=PATH)
@click.argument("query", type=PATH)
@click.option("--model", help="The checkpoint, if the table names one that is found elsewhere.")
@click.option("--top", default=10, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True)
@plainly
def search(table: Path, query: Path, *, model: str | None, top: int, as_json: bool) -> None:
    """List the clips of TABLE that sound most like the recording QUERY, embedded as the table was."""
    from beats_trainer.scale.settings import read_settings
    from beats_trainer.table import read_metadata, table_files
    from beats_trainer.view.search import search as nearest

    settings = read_settings(read_metadata(table_files(table)[0]))
    vector = _embedded(query, model or settings.checkpoint, settings)
    matches = nearest(table, vector, top, column=settings.columns[-1])
    if as_json:
        put([vars(match) for match in matches])
    else:
        cells = [(f"{m.cosine:.4f}", f"{m.start_s:.2f}", f"{m.end_s:.2f}", m.recording) for m in matches]
        put_table(("cosine", "start_s", "end_s", "recording"), cells)


def _embedded(query: Path, model: str, settings: Any) -> Any:
    from beats_trainer.audio import read_waveform
    from beats_trainer.digest import file_digest
    from beats_trainer.embed import embed
    from beats_trainer.load import find_checkpoint, load_model

    checkpoint = find_checkpoint(model)
    found = file_digest(checkpoint, "sha256")
    if found != settings.sha256:
        message = (
            f"{checkpoint} is not the checkpoint of the table: expected sha256 {settings.sha256}, "
            f"got {found}. Name the right one with --model."
        )
        raise ValueError(message)
    encoder = load_model(checkpoint, precision=settings.precision)
    waveform = read_waveform(query, truncated="keep")
    layers = [settings.layers[-1]]
    return embed(encoder, [waveform], layers=layers, pooling=settings.pooling, short="pad")[0][0].numpy()


@click.command()
@click.argument("table", type=PATH)
@click.argument("target", type=PATH)
@click.option("--to", "kind", required=True, type=click.Choice(FORMATS))
@plainly
def convert(table: Path, target: Path, *, kind: str) -> None:
    """Write TABLE for another program: a file, or for Audacity a folder with a label track a recording."""
    from beats_trainer.view.labels import WRITERS

    WRITERS[kind](table, target)
    say(f"{table} written as {kind}")
    click.echo(target)
