"""`beats search`: the clips of a table that sound like a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beats_trainer.cli.output import plainly, put, put_table, say

if TYPE_CHECKING:
    from beats_trainer.search.filters import Wanted
    from beats_trainer.search.nearest import Match, Method

PATH = click.Path(path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])
OPTIONAL = ("channel", "datetime", "site")
LABEL = "hit"  # of a match, in the files of other programs


def _hours(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """`5-9`, or `22-4` over midnight."""
    if value is None:
        return None
    first, _, last = value.partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        message = f"{value!r} are no hours: expected such as 5-9, or 22-4 over midnight."
        raise click.BadParameter(message)
    return int(first), int(last)


@click.command()
@click.argument("table", type=PATH)
@click.argument("queries", metavar="QUERY...", nargs=-1, required=True)
@click.option("--start-s", type=click.FloatRange(0), help="The query is what begins there in QUERY.")
@click.option("--end-s", type=click.FloatRange(0, min_open=True), help="The query is what ends there.")
@click.option("--site", help="Of this site, recorder or folder only.")
@click.option("--from", "since", type=DAY, help="Of this day or later, by the recorder's clock.")
@click.option("--until", type=DAY, help="Of this day or earlier.")
@click.option("--hours", callback=_hours, metavar="H-H", help="From the one hour to the end of the other.")
@click.option("--one-per", type=click.Choice(["recording", "hour"]), help="Only the best of each.")
@click.option("--not-in", type=PATH, metavar="LABELS", help="No clip that these labels say anything of.")
@click.option("--model", help="The checkpoint, if its name in the table does not lead to it.")
@click.option("--layer", type=int, help="Of a table with several  [default: the last]")
@click.option("--top", default=10, show_default=True, type=click.IntRange(1))
@click.option(
    "--method", default="auto", show_default=True, type=click.Choice(["auto", "exact", "index"]),
    help="Compare every row, or ask an approximate index, built if need be; "
    "auto asks one that is there for over ten million rows.",
)  # fmt: skip
@click.option("--index", type=PATH, help="Where the index is kept  [default: with the table]")
@click.option("-o", "--output", type=PATH, help="Write the hits there, and do not print them.")
@click.option(
    "--to", "form", type=click.Choice(["csv", "raven", "audacity"]), help="The form of -o  [default: csv]"
)
@click.option("--save-clips", type=PATH, metavar="DIR", help="Cut the hits out of their recordings, as WAV.")
@click.option("--json", "as_json", is_flag=True)
@plainly
def search(
    table: Path, queries: tuple[str, ...], *, output: Path | None, form: str | None, as_json: bool,
    save_clips: Path | None, **options: Any,
) -> None:  # fmt: skip
    """List the clips of TABLE that sound most like the recording QUERY, embedded as the table was.

    A QUERY that is longer than a clip is cut as the table was; the clip of it that is nearest counts, and so
    do all of several QUERYs.
    """
    if form and output is None:
        message = f"--to {form} needs a place: expected -o FILE. Add it."
        raise click.UsageError(message)
    matches = _matches(table, queries, **options)
    if not matches:
        say("nothing was found: no clip may be, by the site, days, hours and labels that were given")
    if save_clips:
        _save(matches, save_clips)
    if output:
        _write(matches, output, form or "csv")
    elif as_json:
        put([_facts(match) for match in matches])
    else:
        _print(matches)


def _matches(
    table: Path, queries: tuple[str, ...], *, model: str | None, layer: int | None, top: int, method: Method,
    index: Path | None, start_s: float | None, end_s: float | None, **filters: Any,
) -> list[Match]:  # fmt: skip
    from beats_trainer.search.query import search_table
    from beats_trainer.table.settings import column_of, settings_of

    wanted = _wanted(**filters)
    if wanted.is_all:
        _announce(table, method, column_of(settings_of(table), layer), index)
    return search_table(
        table, queries, model=model, layer=layer, top=top, method=method, index=index,
        start_s=start_s, end_s=end_s, wanted=wanted,
    )  # fmt: skip


def _wanted(*, since: Any, until: Any, not_in: Path | None, **others: Any) -> Wanted:
    from beats_trainer.search.filters import Wanted
    from beats_trainer.train.formats import read_labels

    said = read_labels(not_in) if not_in else None
    return Wanted(since=since and since.date(), until=until and until.date(), not_in=said, **others)


def _facts(match: Match) -> dict[str, Any]:
    when = match.datetime
    return vars(match) | {"datetime": when.isoformat() if when else None}


def _print(matches: list[Match]) -> None:
    """A column where any has something to say; a site that is the folder is in the name already."""
    rows = [_row(match) for match in matches]
    shown = [name for name in OPTIONAL if any(row[name] for row in rows)]
    names = ("cosine", "start_s", "end_s", *shown, "recording")
    put_table(names, [tuple(row[name] for name in names) for row in rows])


def _row(match: Match) -> dict[str, str]:
    from beats_trainer.table.sites import site_of

    return {
        "cosine": f"{match.cosine:.4f}",
        "start_s": f"{match.start_s:.2f}",
        "end_s": f"{match.end_s:.2f}",
        "channel": "" if match.channel is None else str(match.channel),
        "datetime": match.datetime.isoformat(" ", "seconds") if match.datetime else "",
        "site": "" if match.site == site_of(match.recording, None) else match.site,
        "recording": match.recording,
    }


def _write(matches: list[Match], output: Path, form: str) -> None:
    from beats_trainer.export.events import write_events
    from beats_trainer.train.score import Event

    ordered = sorted(matches, key=lambda match: (match.recording, match.start_s))
    events = (Event(m.recording, m.channel, m.start_s, m.end_s, LABEL, m.cosine) for m in ordered)
    say(f"{output}: {write_events(events, output, form):,} hits")


def _save(matches: list[Match], folder: Path) -> None:
    from beats_trainer.search.cut_out import save_clips

    saved, lost = save_clips(matches, folder)
    for reason in lost:
        say(f"not saved: {reason}")
    say(f"{folder}: {saved:,} clips")


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
