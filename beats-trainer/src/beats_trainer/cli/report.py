"""`beats report`: one page about a table, or about a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from beats_trainer.cli.output import plainly, say, size_of
from beats_trainer.cli.search import PATH


@click.command()
@click.argument("table", type=PATH)
@click.option("-o", "--output", type=PATH, default="report.html", show_default=True)
@click.option("--title", help="[default: the table's name]")
@click.option("--layer", type=int, help="Whose embeddings are mapped  [default: the last]")
@click.option("--points", default=10_000, show_default=True, type=click.IntRange(0), help="On the map.")
@click.option(
    "--clips", default=100, show_default=True, type=click.IntRange(0), help="With sound: 0.1 MB each."
)
@click.option(
    "--map", "method", default="auto", show_default=True, type=click.Choice(["auto", "umap", "pca"]),
    help="auto takes UMAP if it is installed.",
)  # fmt: skip
@click.option(
    "--recordings", "root", type=PATH, help="The folder that relative names are seen from  [default: this]"
)
@click.option("--fetch", is_flag=True, help="Fetch recordings behind URLs, to be heard.")
@plainly
def report(table: Path, output: Path, **options: Any) -> None:
    """Write one page about TABLE: what is where and when, a map to look at and listen to, and the damage.

    Of the folder of a run of `beats train`: its figures, and its worst mistakes to look at and to hear.

    The page is a single file that needs no server and requests nothing.
    """
    from beats_trainer.report.build import write_page
    from beats_trainer.report.run_page import is_run

    if is_run(table):
        _report_run(table, output, **options)
        return
    try:
        shown = write_page(table, output, **options)
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    silent = sum(shown.silences.values())
    unread = f", {silent:,} could not be read" if silent else ""
    say(
        f"{len(shown.rows):,} of {shown.of:,} clips on the map ({shown.projection}), "
        f"{len(shown.sounds):,} with sound{unread}; {size_of(output.stat().st_size)}"
    )
    click.echo(output)


def _report_run(
    run: Path, output: Path, *, title: str | None, clips: int, root: Path | None, **_: Any
) -> None:
    from beats_trainer.report.run_page import MISTAKES, write_run_page

    shown = write_run_page(run, output, title=title, mistakes=min(clips, MISTAKES), root=root)
    say(
        f"{shown.split}: {shown.mistakes:,} mistakes, {shown.heard:,} with sound; "
        f"{size_of(output.stat().st_size)}"
    )
    click.echo(output)
