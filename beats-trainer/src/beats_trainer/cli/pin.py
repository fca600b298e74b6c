"""`beats pin`: write the pin of a file on the Hub."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from beats_trainer.cli.output import plainly
from beats_trainer.hub.fetch import fetch_checkpoint
from beats_trainer.hub.lookup import resolve_name
from beats_trainer.hub.signature import read_key
from beats_trainer.pins.pin import pin_document


@click.command()
@click.argument("name", metavar="OWNER/REPO[@REVISION]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it  [default: stdout]")
@click.option(
    "--golden", is_flag=True, help="Fetch and load it, and record what it makes of the self-check's waveform."
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A public key, PEM: fetch it, compare with the signature, and ask for that at every fetch.",
)
@click.option("--allow-noncommercial", is_flag=True, help="With --golden or --key: accept such a licence.")
@plainly
def pin(name: str, output: Path | None, *, golden: bool, key: Path | None, allow_noncommercial: bool) -> None:
    """Write the .dvc pin of a checkpoint on the Hub: its commit, size and sha256 as they are now.

    A folder of such files, named by BEATS_PINS, is a registry of your own. For a file whose repository holds
    several: hf://OWNER/REPO@REVISION/FILE.
    """
    resolved = resolve_name(name)
    if golden or key:
        path = fetch_checkpoint(resolved, allow_noncommercial=allow_noncommercial, key=key)
    text = pin_document(resolved, _golden(path) if golden else (), read_key(key).pem if key else "")
    if output is None:
        click.echo(text, nl=False)
        return
    stem = PurePosixPath(resolved.filename).name
    written = output / f"{stem}.dvc" if output.is_dir() else output
    written.write_text(text, encoding="utf-8", newline="\n")
    click.echo(written)


def _golden(path: Path) -> tuple[float, ...]:
    from beats_trainer.encoder.self_check import check_encoder
    from beats_trainer.load import load_model

    return check_encoder(load_model(path, device="cpu"))
