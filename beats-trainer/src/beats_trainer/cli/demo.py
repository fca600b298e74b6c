"""`beats demo`: everything but the weights is real, and no network is used."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from beats_trainer.cli.embed import conclude, shown
from beats_trainer.cli.output import plainly, say
from beats_trainer.embed.choices import Choices

NAME = "UNTRAINED (random weights)"  # in the table


@click.command()
@click.argument("paths", nargs=-1)
@click.option(
    "-o", "--output", default=Path("embeddings.parquet"), show_default=True, type=click.Path(path_type=Path)
)
@plainly
def demo(paths: tuple[str, ...], output: Path) -> None:
    """Embed recordings with an UNTRAINED model: all but the weights is real, and no network is used."""
    from beats_trainer.checkpoint.untrained import write_untrained

    with tempfile.TemporaryDirectory() as folder:
        recordings = paths or [_synthesized(Path(folder))]
        say("Writing a checkpoint of the true size, UNTRAINED: its random weights know nothing of sound.")
        model = write_untrained(Path(folder) / "untrained.pt", 2026)
        choices = Choices(model=model, device="cpu", resume=False)
        conclude(shown(recordings, output, choices, checkpoint=NAME), as_json=False)


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
