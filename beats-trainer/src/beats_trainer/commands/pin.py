"""`beats pin`: write the pin of a file on the Hub."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from beats_trainer.commands.output import plainly
from beats_trainer.fetch import fetch_checkpoint
from beats_trainer.hubpin import pin_document, resolve
from beats_trainer.pinfile import Pin


@click.command()
@click.argument("name", metavar="OWNER/REPO[@REVISION]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it  [default: stdout]")
@click.option(
    "--golden", is_flag=True, help="Fetch and load it, and record what it makes of the self-check's waveform."
)
@click.option("--allow-noncommercial", is_flag=True, help="With --golden: accept such a licence.")
@plainly
def pin(name: str, output: Path | None, *, golden: bool, allow_noncommercial: bool) -> None:
    """Write the .dvc pin of a checkpoint on the Hub: its commit, size and sha256 as they are now.

    A folder of such files, named by BEATS_PINS, is a registry of your own. For a file whose repository holds
    several: hf://OWNER/REPO@REVISION/FILE.
    """
    resolved = resolve(name)
    text = pin_document(resolved, _golden(resolved, allow_noncommercial) if golden else ())
    if output is None:
        click.echo(text, nl=False)
        return
    stem = PurePosixPath(resolved.filename).name
    path = output / f"{stem}.dvc" if output.is_dir() else output
    path.write_text(text, encoding="utf-8", newline="\n")
    click.echo(path)


def _golden(pin: Pin, allow_noncommercial: bool) -> tuple[float, ...]:
    from beats_trainer.load import load_model

    path = fetch_checkpoint(pin, allow_noncommercial=allow_noncommercial)
    return load_model(path, device="cpu").check()
