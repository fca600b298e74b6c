"""`beats search | report`: what a table is good for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from beats_trainer.cli.output import plainly, put, put_table, say

if TYPE_CHECKING:
    from beats_trainer.search.nearest import Match, Method

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("table", type=PATH)
@click.argument("query")
@click.option("--model", help="The checkpoint, if its name in the table does not lead to it.")
@click.option("--layer", type=int, help="Of a table with several  [default: the last]")
@click.option("--top", default=10, show_default=True, type=click.IntRange(1))
@click.option(
    "--method", default="auto", show_default=True, type=click.Choice(["auto", "exact", "index"]),
    help="Compare every row, or ask an approximate index, built if need be; "
    "auto asks one that is there for over ten million rows.",
)  # fmt: skip
@click.option("--index", type=PATH, help="Where the index is kept  [default: with the table]")
@click.option("--json", "as_json", is_flag=True)
@plainly
def search(
    table: Path, query: str, *, model: str | None, layer: int | None, top: int, method: Method,
    index: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """List the clips of TABLE that sound most like the recording QUERY, embedded as the table was.

    A QUERY that is longer than a clip is cut as the table was; the clip of it that is nearest counts.
    """
    from beats_trainer.search.query import search_table
    from beats_trainer.table.settings import column_of, settings_of

    _announce(table, method, column_of(settings_of(table), layer), index)
    matches = search_table(table, query, model=model, layer=layer, top=top, method=method, index=index)
    if as_json:
        put([vars(match) for match in matches])
    else:
        channels = any(m.channel is not None for m in matches)
        head = ("cosine", "start_s", "end_s", *(["channel"] if channels else []), "recording")
        put_table(head, [_cells(match, channels=channels) for match in matches])


def _cells(match: Match, *, channels: bool) -> tuple[str, ...]:
    channel = [str(match.channel)] if channels else []
    return f"{match.cosine:.4f}", f"{match.start_s:.2f}", f"{match.end_s:.2f}", *channel, match.recording


def _announce(table: Path, method: Method, column: str, index: Path | None) -> None:
    """An index may take long to build, and its answer is not quite the exact one: both are said."""
    from beats_trainer.search.nearest import EXACT_ROWS, index_folder, uses_index
    from beats_trainer.table.scan import count_rows, groups_of

    rows = count_rows(groups_of(table))
    where = (index or index_folder(table)) / column
    if uses_index(method, rows, where):
        state = "asked" if where.is_dir() else "built, once, and asked"
        say(f"{rows:,} rows: an approximate index is {state}: {where}")
    elif method == "auto" and rows > EXACT_ROWS:
        say(f"{rows:,} rows are compared; for many queries --method index builds an approximate index, once.")
