"""`beats demo`: everything but the weights is real, and no network is used."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from beats_trainer.cli.embed import conclude, encoding_of, run
from beats_trainer.cli.output import plainly, say

OPTIONS: dict[str, Any] = {
    "device": "cpu", "clip_s": 10.0, "hop_s": None, "last": "full", "layers": (), "pooling": "mean",
    "normalize": True, "channels": "mix", "dtype": "float32", "precision": "fp32",
    "batch_size": "auto", "resume": False,
}  # fmt: skip


@click.command()
@click.argument("paths", nargs=-1)
@click.option(
    "-o", "--output", default=Path("embeddings.parquet"), show_default=True, type=click.Path(path_type=Path)
)
@plainly
def demo(paths: tuple[str, ...], output: Path) -> None:
    """Embed recordings with an UNTRAINED model: all but the weights is real, and no network is used."""
    from beats_trainer.checkpoint.untrained import write_untrained
    from beats_trainer.recordings.sources import find_sources

    with tempfile.TemporaryDirectory() as folder:
        sources = find_sources(paths or [_synthesized(Path(folder))])
        say("Writing a checkpoint of the true size, UNTRAINED: its random weights know nothing of sound.")
        checkpoint = write_untrained(Path(folder) / "untrained.pt", 2026)
        encoding = encoding_of(str(checkpoint), OPTIONS, checkpoint="UNTRAINED (random weights)")
        conclude(run(sources, encoding, output, OPTIONS), OPTIONS)


def _synthesized(folder: Path) -> str:
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
    return str(folder)
