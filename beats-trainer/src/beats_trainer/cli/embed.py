"""`beats embed`: recordings in, a table out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beats_trainer.cli.output import Command, Display, plainly, put, say
from beats_trainer.embed.choices import DEFAULTS, WORDS, Choices

if TYPE_CHECKING:
    from beats_trainer.embed.run import Outcome
    from beats_trainer.table.report_csv import ReportLine

NAMED_FAILURES = 20  # on stderr; all of them are in the report


def word(name: str, **more: Any) -> Callable[[Command], Command]:
    """An option that takes one of the words there are for it."""
    default = getattr(DEFAULTS, name)
    return click.option(
        f"--{name}", default=default, show_default=True, type=click.Choice(WORDS[name]), **more
    )


def plain(name: str, **more: Any) -> Callable[[Command], Command]:
    """An option with the default that the library has."""
    default = getattr(DEFAULTS, name.replace("-", "_"))
    return click.option(f"--{name}", default=default, show_default=True, **more)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path),
    help="One file if it ends in .parquet, a folder of parts otherwise.",
)  # fmt: skip
@plain("model", help="A name, OWNER/REPO, or a path.")
@plain("clip-s", help="Seconds of a clip.")
@click.option("--hop-s", type=float, help="Seconds between the starts of clips  [default: clip-s]")
@word(
    "last", help="The rest: a whole clip that ends there, silence behind it, nothing, or a longer last clip."
)
@click.option(
    "--layer", "layers", multiple=True, type=int,
    help="0 to the number of layers, once or more  [default: the last]",
)  # fmt: skip
@word("pooling", help="How the patches of a clip become one vector.")
@click.option(
    "--normalize/--no-normalize", default=DEFAULTS.normalize, show_default=True, help="Vectors of length 1."
)
@word("channels", help="Their mean, the first, or a row of every one.")
@word("damaged", help="Clips of which a part could not be decoded: left out, or marked.")
@word("dtype", help="In the table.")
@word("precision", help="Of the computation.")
@plain("batch-size", help="Clips that go through the model at once.")
@plain("device", help="cpu, cuda, ...")
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Threads that read recordings [default: 2], or actors of Ray [default: 1]",
)
@click.option(
    "--resume/--no-resume",
    default=DEFAULTS.resume,
    show_default=True,
    help="Go on with a table; or replace it.",
)
@click.option("--redo", multiple=True, metavar="RECORDING", help="Embed it again; its rows are replaced.")
@click.option("--relative-to", type=click.Path(path_type=Path), help="Name recordings by their path from it.")
@click.option("--utc-offset", metavar="+HH:MM", help="Of clocks that do not say theirs.")
@click.option("--time-format", help="Of the time in names, as for strptime: %y%m%d%H%M%S.")
@click.option(
    "--site-from", metavar="folder|device|REGEX",
    help="What a site is  [default: the device, or the folder where none is known]",
)  # fmt: skip
@plain("shard", help="Only part K of N of the recordings: K/N.")
@word("engine", help="This process; or a Ray cluster, with --workers actors.")
@click.option("--strict", is_flag=True, help="Stop at the first recording of which something is missing.")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="For recordings behind URLs.")
@plain("cache-gb", help="What they may take there.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@plainly
def embed(paths: tuple[str, ...], output: Path, *, as_json: bool, batch_size: str, **chosen: Any) -> None:
    """Embed recordings: files, folders, globs, .txt or .csv lists, URLs.

    Recordings that cannot be read are reported, the others are embedded, and the exit status is 1. Run the
    same command again to go on where it stopped.
    """
    at_once: Any = int(batch_size) if batch_size.isdecimal() else batch_size
    conclude(shown(paths, output, Choices(batch_size=at_once, **chosen)), as_json=as_json)


def shown(paths: Sequence[str], output: Path, choices: Choices, *, checkpoint: str | None = None) -> Outcome:
    """Embed, with the progress on stderr; `checkpoint` is another name of the model, for the table."""
    from beats_trainer.embed.start import embed_chosen

    show = Display()
    try:
        return embed_chosen(paths, output, choices, show, checkpoint=checkpoint)
    finally:
        show.close()


def conclude(outcome: Outcome, *, as_json: bool) -> None:
    """The summary; exit status 1 when something of a recording is missing from the table."""
    if as_json:
        put(summary(outcome))
    else:
        click.echo(outcome.output.path)
    progress, failed = outcome.progress, outcome.failed
    for line in failed[:NAMED_FAILURES]:
        what = "embedded in part" if line.embedded == "partly" else "not embedded"
        say(f"{what}: {line.recording}: {_detail(line)}")
    if len(failed) > NAMED_FAILURES:
        say(f"... and {len(failed) - NAMED_FAILURES} more")
    say(_counted(outcome))
    if outcome.left_out:
        say(f"left out: {outcome.left_out}")
    if outcome.replaced:
        say(f"{len(outcome.replaced):,} recordings were embedded again; their rows were replaced")
    share = progress.waited_share
    waited = "" if share is None else f"; the model waited for recordings {100 * share:.1f} % of the time"
    speed = f"{progress.clips:,} clips in {progress.elapsed_s:.1f} s, {progress.x_real_time:.0f} x real time"
    say(speed + waited)
    say(f"report: {outcome.output.report}")
    if outcome.stopped_at is not None:
        say(f"stopped at {outcome.stopped_at}, because of --strict")
    if failed or outcome.stopped_at is not None:
        raise SystemExit(1)


def _counted(outcome: Outcome) -> str:
    from beats_trainer.table.report_csv import count_statuses

    found = ", ".join(f"{number:,} {kind}" for kind, number in count_statuses(outcome.lines).items())
    return f"{len(outcome.lines):,} recordings: {found}"


def _detail(line: ReportLine) -> str:
    from beats_trainer.audio.damage import FAILURES

    return "; ".join(str(f) for f in line.facts.findings if f.kind in FAILURES)


def summary(outcome: Outcome) -> dict[str, Any]:
    """What `--json` prints."""
    from beats_trainer.table.report_csv import count_statuses

    progress = outcome.progress
    return {
        "table": str(outcome.output.path),
        "report": str(outcome.output.report),
        "recordings": len(outcome.lines),
        "embedded": sum(line.embedded != "no" for line in outcome.lines),
        "counts": count_statuses(outcome.lines),
        "clips": progress.clips,
        "audio_s": round(progress.audio_s, 3),
        "took_s": round(progress.elapsed_s, 3),
        "x_real_time": round(progress.x_real_time, 2),
        "waited_share": None if progress.waited_share is None else round(progress.waited_share, 4),
        "stopped_at": outcome.stopped_at,
        "failures": [{"recording": line.recording, "reason": _detail(line)} for line in outcome.failed],
    }
