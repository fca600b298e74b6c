"""`beats classify` with a head of one's own: the scores of recordings or of a table, and their events."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beats_trainer.cli.output import put, put_table, say
from beats_trainer.embed.choices import Choices
from beats_trainer.errors import UnknownCheckpointError

if TYPE_CHECKING:
    from beats_trainer.train.head_file import TrainedHead
    from beats_trainer.train.score import Event

HEAD = ("recording", "start_s", "end_s", "score", "label")
SUFFIXES = {".parquet": "scores", ".csv": "csv"}


def classify_with_head(head: TrainedHead, paths: Sequence[str], options: dict[str, Any]) -> None:
    """Score, and write or print what is asked for; recordings that failed make the exit status 1."""
    from beats_trainer.train.score import score_table

    form = _form(options)
    limits = () if form == "scores" else _limits(head, options["threshold"])
    with _table(head, paths, options) as (table, failed):
        if form == "scores":
            rows = score_table(head, table, options["output"])
            say(f"{options['output']}: the scores of {rows:,} clips for {len(head.labels):,} labels")
        else:
            _give(_found(head, table, limits, merge=options["events"]), form, options)
    if head.leak:
        say("THE HEAD WAS LEARNT FROM A SPLIT THAT LEAKS: its measured figures flatter")
    if failed:
        raise click.exceptions.Exit(1)


def _form(options: dict[str, Any]) -> str:
    output, form = options["output"], options["form"]
    if output is None:
        return "print"
    form = form or SUFFIXES.get(output.suffix.lower())
    if form is None:
        message = f"{output} does not say its form: name it .parquet or .csv, or say --to raven or audacity."
        raise click.ClickException(message)
    return str(form)


def _limits(head: TrainedHead, threshold: str | None) -> tuple[float, ...]:
    """What was said; else what was fitted; else the middle."""
    from beats_trainer.train.score import choose_thresholds

    meant = threshold or ("best" if head.thresholds else "0.5")
    return choose_thresholds(head.thresholds, len(head.labels), meant)


def _found(head: TrainedHead, table: Path, limits: tuple[float, ...], *, merge: bool) -> Iterator[Event]:
    from beats_trainer.train.score import find_clips, find_events, scored_clips

    find = find_events if merge else find_clips
    return find(scored_clips(head, table), head.labels, limits)


def _give(events: Iterable[Event], form: str, options: dict[str, Any]) -> None:
    if form == "print":
        _print(list(events), as_json=options["as_json"])
        return
    from beats_trainer.export.events import write_events

    count = write_events(events, options["output"], form)
    say(f"{options['output']}: {count:,} {'events' if options['events'] else 'clips and labels'}")


def _print(events: list[Event], *, as_json: bool) -> None:
    if as_json:
        put([vars(event) for event in events])
        return
    rows = [(e.recording, f"{e.start_s:.3f}", f"{e.end_s:.3f}", f"{e.score:.3f}", e.label) for e in events]
    put_table(HEAD, rows)


@contextmanager
def _table(head: TrainedHead, paths: Sequence[str], options: dict[str, Any]) -> Iterator[tuple[Path, bool]]:
    """The table that is meant, or one of the recordings, made as the head wants; and whether any failed."""
    if len(paths) == 1 and _is_table(Path(paths[0])):
        yield Path(paths[0]), False
        return
    from beats_trainer.cli.embed import shown

    choices = _choices(head, options)
    _find_encoder(choices)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.parquet"
        outcome = shown(paths, table, choices)
        for line in outcome.failed:
            say(f"not classified whole: {line.recording}")
        yield table, bool(outcome.failed)


def _find_encoder(choices: Choices) -> None:
    """A head knows the name of its encoder, not where somebody keeps it."""
    from beats_trainer.load import locate

    try:
        is_here = locate(choices.model).path.is_file()
    except UnknownCheckpointError:
        is_here = False
    if not is_here:
        message = (
            f"the head was learnt from the encoder {choices.model}, which is not here and has no pin: say "
            "where it is, with --encoder PATH."
        )
        raise click.ClickException(message)


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == ".parquet" or (path.is_dir() and any(path.glob("shard=*/*.parquet")))


def _choices(head: TrainedHead, options: dict[str, Any]) -> Choices:
    """As the table was made that the head was learnt from; the hop alone is free."""
    made = head.settings
    return Choices(
        model=options["encoder"] or made.checkpoint,
        clip_s=made.clip_s,
        hop_s=options["hop_s"] or made.hop_s,
        last=made.last,
        layers=(head.layer,),
        pooling=made.pooling,  # type: ignore[arg-type] # it was looked at where it was written
        normalize=made.normalize,
        channels=made.channels,
        damaged=made.damaged,
        precision=made.precision,
        device=options["device"],
    )
