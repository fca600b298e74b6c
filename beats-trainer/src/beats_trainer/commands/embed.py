"""`beats embed | demo`: recordings in, one Parquet table out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from beats_trainer.commands.output import Bar, plainly, put, say
from beats_trainer.digest import file_digest
from beats_trainer.recordings import find_recordings

if TYPE_CHECKING:
    from beats_trainer.clips import ClipPlan
    from beats_trainer.extractor import BEATsFeatureExtractor
    from beats_trainer.survey import Survey

DEFAULT_MODEL = "BEATs_iter3_plus_AS2M"
PATHS = click.Path(path_type=Path)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATHS)
@click.option("-o", "--output", required=True, type=PATHS, help="The Parquet file to write.")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A name, OWNER/REPO, or a path.")
@click.option("--clip-s", default=10.0, show_default=True, help="Seconds of a clip.")
@click.option(
    "--hop-s", default=None, type=float, help="Seconds between the starts of clips  [default: clip-s]"
)
@click.option(
    "--last",
    default="full",
    show_default=True,
    type=click.Choice(["full", "pad", "drop", "extend"]),
    help="What becomes of the rest at the end.",
)
@click.option("--layer", default=-1, show_default=True, help="0 to the number of layers; -1 is the last.")
@click.option(
    "--pooling", default="mean", show_default=True, type=click.Choice(["mean", "max", "first", "last"])
)
@click.option("--normalize/--no-normalize", default=True, show_default=True, help="Vectors of length 1.")
@click.option("--channels", default="mix", show_default=True, type=click.Choice(["mix", "first"]))
@click.option(
    "--truncated",
    default="error",
    show_default=True,
    type=click.Choice(["error", "keep"]),
    help="Whether recordings shorter than their header says are embedded.",
)
@click.option("--device", default=None, help="cpu, cuda, ...  [default: a GPU if there is one]")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@plainly
def embed(paths: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Embed recordings and folders of recordings.

    Recordings that cannot be read are reported; the others are embedded, and the exit status is 1.
    """
    recordings = find_recordings(paths)
    model, identity = load(options["model"], options)
    run(recordings, output, model, identity, options)


def load(name: str, options: dict[str, Any]) -> tuple[BEATsFeatureExtractor, dict[str, Any]]:
    """The extractor, and what the table says about its checkpoint."""
    from beats_trainer.extractor import BEATsFeatureExtractor
    from beats_trainer.load import find_checkpoint, is_path

    bar = Bar(name)
    try:
        path = find_checkpoint(name) if is_path(name) else _fetched(name, bar)
    finally:
        bar.close()
    extractor = BEATsFeatureExtractor(path, options["device"], options["layer"], options["pooling"])
    return extractor, {
        "checkpoint": Path(name).name if is_path(name) else name,
        "sha256": file_digest(path, "sha256"),
    }


def _fetched(name: str, bar: Bar) -> Path:
    from beats_trainer.fetch import fetch_checkpoint

    return fetch_checkpoint(name, progress=bar)


def run(
    recordings: Sequence[Path],
    output: Path,
    extractor: BEATsFeatureExtractor,
    identity: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Embeds, writes the table and reports."""
    from beats_trainer.clips import ClipPlan
    from beats_trainer.survey import Survey
    from beats_trainer.table import TableWriter

    plan = ClipPlan(options["clip_s"], options["hop_s"], options["last"])
    survey = Survey(
        lambda waveforms: extractor.extract_from_batch(waveforms, normalize=options["normalize"]),
        plan,
        options["channels"],
        options["truncated"],
    )
    metadata = identity | provenance(plan, options, extractor.layer)
    began = time.monotonic()
    with TableWriter(output, extractor.dim, metadata) as writer:
        for rows in tqdm(survey.rows(recordings), total=len(recordings), unit="recording", disable=None):
            writer.add(rows)
    report(survey, writer.rows, len(recordings), output, time.monotonic() - began, as_json=options["as_json"])


def provenance(plan: ClipPlan, options: dict[str, Any], layer: int) -> dict[str, Any]:
    """What made the rows, beside the checkpoint."""
    from beats_trainer.audio import RESAMPLER

    kept = {key: options[key] for key in ("pooling", "normalize", "channels", "truncated")}
    cut = asdict(plan) | {"hop_s": plan.hop / 16_000}
    return kept | cut | {"layer": layer, "resampler": RESAMPLER, "version": version("beats-trainer")}


def report(
    survey: Survey, clips: int, recordings: int, output: Path, took_s: float, *, as_json: bool
) -> None:
    """The summary; exit status 1 when a recording is missing from the table."""
    if as_json:
        put(
            {
                "table": str(output),
                "recordings": recordings - len(survey.failures),
                "clips": clips,
                "audio_s": round(survey.seconds, 3),
                "took_s": round(took_s, 3),
                "failures": [asdict(failure) for failure in survey.failures],
            }
        )
    else:
        click.echo(output)
    for failure in survey.failures:
        say(f"not embedded: {failure.reason}")
    speed = f", {survey.seconds / took_s:.0f} x real time" if took_s and survey.seconds else ""
    say(f"{clips} clips of {recordings - len(survey.failures)} recordings in {took_s:.1f} s{speed}")
    if survey.failures:
        say(f"{len(survey.failures)} of {recordings} recordings failed")
        raise SystemExit(1)


@click.command()
@click.argument("paths", nargs=-1, type=PATHS)
@click.option("-o", "--output", default=Path("embeddings.parquet"), show_default=True, type=PATHS)
@plainly
def demo(paths: tuple[Path, ...], output: Path) -> None:
    """Embed recordings with an UNTRAINED model: all but the weights is real, and no network is used."""
    from beats_trainer.extractor import BEATsFeatureExtractor
    from beats_trainer.untrained import write_untrained

    with tempfile.TemporaryDirectory() as folder:
        recordings = find_recordings(paths) if paths else _synthesized(Path(folder))
        say("Writing a checkpoint of the true size, UNTRAINED: its random weights know nothing of sound.")
        checkpoint = write_untrained(Path(folder) / "untrained.pt", 2026)
        identity = {"checkpoint": "UNTRAINED (random weights)", "sha256": file_digest(checkpoint, "sha256")}
        options: dict[str, Any] = {
            "clip_s": 10.0,
            "hop_s": None,
            "last": "full",
            "pooling": "mean",
            "normalize": True,
            "channels": "mix",
            "truncated": "error",
            "as_json": False,
        }
        run(recordings, output, BEATsFeatureExtractor(checkpoint, "cpu"), identity, options)


def _synthesized(folder: Path) -> list[Path]:
    """Three short recordings, made here: a tone, a chirp and noise."""
    import numpy as np
    import soundfile

    times = np.arange(5 * 44_100) / 44_100
    sounds = {
        "tone": np.sin(2 * np.pi * 440 * times),
        "chirp": np.sin(2 * np.pi * (200 + 400 * times) * times),
        "noise": np.random.default_rng(2026).standard_normal(len(times)) / 4,
    }
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", 0.5 * sound, 44_100)
    return find_recordings([folder])
