"""`beats embed`: recordings in, a table out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from beats_trainer.cli.output import Bar, Display, plainly, put, say

if TYPE_CHECKING:
    from beats_trainer.embed.encode import Encoding
    from beats_trainer.embed.ray_engine import Cluster
    from beats_trainer.embed.run import Outcome
    from beats_trainer.load import Found

DEFAULT_MODEL = "BEATs_iter3_plus_AS2M"
NAMED_FAILURES = 20  # on stderr; all of them are in the report
DTYPES = ("float32", "float16")
PRECISIONS = ("fp32", "bf16")


def choice(*names: str) -> click.Choice[str]:
    """One of these."""
    return click.Choice(list(names))


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path),
    help="One file if it ends in .parquet, a folder of parts otherwise.",
)  # fmt: skip
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A name, OWNER/REPO, or a path.")
@click.option("--clip-s", default=10.0, show_default=True, help="Seconds of a clip.")
@click.option("--hop-s", type=float, help="Seconds between the starts of clips  [default: clip-s]")
@click.option(
    "--last", default="full", show_default=True, type=choice("full", "pad", "drop", "extend"),
    help="The rest: a whole clip that ends there, silence behind it, nothing, or a longer last clip.",
)  # fmt: skip
@click.option("--layer", "layers", multiple=True, type=int, help="0 to 12, once or more  [default: the last]")
@click.option("--pooling", default="mean", show_default=True, type=choice("mean", "max", "first", "last"))
@click.option("--normalize/--no-normalize", default=True, show_default=True, help="Vectors of length 1.")
@click.option("--channels", default="mix", show_default=True, type=choice("mix", "first", "each"))
@click.option(
    "--dtype", default="float32", show_default=True, type=choice("float32", "float16"), help="In the table."
)
@click.option(
    "--precision", default="fp32", show_default=True, type=choice(*PRECISIONS), help="Of the computation."
)
@click.option(
    "--batch-size", default="auto", show_default=True, help="Clips that go through the model at once."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, ...")
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Threads that read recordings [default: 2], or actors of Ray [default: 1]",
)
@click.option(
    "--resume/--no-resume", default=True, show_default=True, help="Go on with a table; or replace it."
)
@click.option("--relative-to", type=click.Path(path_type=Path), help="Name recordings by their path from it.")
@click.option("--shard", default="1/1", show_default=True, help="Only part K of N of the recordings: K/N.")
@click.option(
    "--engine", default="local", show_default=True, type=choice("local", "ray"),
    help="This process; or a Ray cluster, with --workers actors.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Stop at the first recording of which something is missing.")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="For recordings behind URLs.")
@click.option("--cache-gb", default=10.0, show_default=True, help="What they may take there.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@plainly
def embed(paths: tuple[str, ...], output: Path, **options: Any) -> None:
    """Embed recordings: files, folders, globs, .txt or .csv lists, URLs.

    Recordings that cannot be read are reported, the others are embedded, and the exit status is 1. Run the
    same command again to go on where it stopped.
    """
    from beats_trainer.recordings.sources import find_sources, parse_shard

    shard = parse_shard(options["shard"])
    sources = find_sources(paths, relative_to=options["relative_to"], shard=shard)
    encoding = encoding_of(options["model"], options)
    conclude(run(sources, encoding, output, options), options)


def run(sources: Any, encoding: Encoding, output: Path, options: dict[str, Any]) -> Outcome:
    """Embed on this machine, with the progress on stderr."""
    from beats_trainer.embed.run import embed_recordings
    from beats_trainer.recordings.sources import parse_shard

    show = Display()
    try:
        return embed_recordings(
            sources,
            encoding,
            output,
            callback=show,
            engine=_cluster(encoding, options) if options.get("engine") == "ray" else None,
            shard=parse_shard(options.get("shard", "1/1")),
            workers=options.get("workers") or min(2, os.cpu_count() or 1),
            resume=options.get("resume", True),
            strict=options.get("strict", False),
            cache_dir=options.get("cache_dir"),
            cache_bytes=int(options.get("cache_gb", 10.0) * 1e9),
        )
    finally:
        show.close()


def _cluster(encoding: Encoding, options: dict[str, Any]) -> Cluster:
    """The engine `ray`: the model of this process gave the settings, and the actors load their own."""
    from beats_trainer.embed.ray_engine import Cluster, start_ray
    from beats_trainer.load import find_checkpoint

    cpus, gpu = start_ray(), encoding.model.device.type == "cuda"
    workers = options.get("workers") or 1
    return Cluster(
        find_checkpoint(options["model"]).absolute(),
        encoding.settings,
        workers=workers,
        threads=1 if gpu else max(1, cpus // workers),
        gpu=gpu,
        batch_size=_batch_size(options["batch_size"]),
        cache_dir=options.get("cache_dir"),
        cache_bytes=int(options.get("cache_gb", 10.0) * 1e9),
    )


def encoding_of(name: str, options: dict[str, Any], checkpoint: str | None = None) -> Encoding:
    """The model and the settings that are asked for; `checkpoint` is its name in the table, if not `name`."""
    from beats_trainer.embed.encode import load_encoding
    from beats_trainer.load import is_path

    known = checkpoint or (Path(name).name if is_path(name) else name)
    return load_encoding(_located(name), known, options, _batch_size(options["batch_size"]))


def _batch_size(text: str) -> int | None:
    """Clips that go through the model at once; of `auto`, what runs fastest."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        message = f"--batch-size {text}: expected auto, or a number from 1."
        raise ValueError(message)
    return int(text)


def _located(name: str) -> Found:
    from beats_trainer.load import locate

    bar = Bar(name)
    try:
        return locate(name, progress=bar)
    finally:
        bar.close()


def conclude(outcome: Outcome, options: dict[str, Any]) -> None:
    """The summary; exit status 1 when something of a recording is missing from the table."""
    if options.get("as_json"):
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
    from beats_trainer.table.report_csv import counts

    found = ", ".join(f"{number:,} {kind}" for kind, number in counts(outcome.lines).items())
    return f"{len(outcome.lines):,} recordings: {found}"


def _detail(line: Any) -> str:
    from beats_trainer.audio.findings import FAILURES

    return "; ".join(str(f) for f in line.facts.findings if f.kind in FAILURES)


def summary(outcome: Outcome) -> dict[str, Any]:
    """What `--json` prints."""
    from beats_trainer.table.report_csv import counts

    progress = outcome.progress
    return {
        "table": str(outcome.output.path),
        "report": str(outcome.output.report),
        "recordings": len(outcome.lines),
        "embedded": sum(line.embedded != "no" for line in outcome.lines),
        "counts": counts(outcome.lines),
        "clips": progress.clips,
        "audio_s": round(progress.audio_s, 3),
        "took_s": round(progress.elapsed_s, 3),
        "x_real_time": round(progress.x_real_time, 2),
        "waited_share": None if progress.waited_share is None else round(progress.waited_share, 4),
        "stopped_at": outcome.stopped_at,
        "failures": [{"recording": line.recording, "reason": _detail(line)} for line in outcome.failed],
    }
