"""`beats bundle create | verify | install`: checkpoints for machines without internet."""

from __future__ import annotations

from pathlib import Path

import click

from beats_trainer.cli.output import plainly, put_table, say
from beats_trainer.publish import bundle as bundles

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def bundle() -> None:
    """Carry checkpoints in one file, with their pins and digests."""


@bundle.command()
@click.argument("names", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tar to write.")
@click.option("--allow-noncommercial", is_flag=True, help="Accept a licence that forbids commercial use.")
@plainly
def create(names: tuple[str, ...], output: Path, *, allow_noncommercial: bool) -> None:
    """Write a bundle of checkpoints, fetching those that are not here."""
    bundles.create_bundle(names, output, allow_noncommercial=allow_noncommercial)
    click.echo(output)


@bundle.command()
@click.argument("file", type=FILE)
@plainly
def verify(file: Path) -> None:
    """Compare every byte of a bundle with its digests."""
    members = bundles.verify_bundle(file)
    put_table(("file", "bytes", "sha256"), [(m.path, f"{m.size:,}", m.sha256) for m in members])


@bundle.command()
@click.argument("file", type=FILE)
@click.option("--to", "shelf", type=click.Path(path_type=Path), help="A folder  [default: HF_HOME/beats]")
@plainly
def install(file: Path, shelf: Path | None) -> None:
    """Verify a bundle and make its checkpoints known on this machine."""
    for path in bundles.install_bundle(file, shelf):
        click.echo(path)
    if shelf is not None:
        say(f"Set BEATS_CHECKPOINTS={shelf.resolve()}, so that they are found there.")
