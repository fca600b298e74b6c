"""`beats card`: the README of a folder of checkpoints."""

from __future__ import annotations

from pathlib import Path

import click

from beats_trainer.commands.output import plainly
from beats_trainer.hub.fetch import known_checkpoints
from beats_trainer.publish.card import write_card


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--licence", default="", help="Of the whole folder  [default: that of its files, if known]")
@click.option("--repo", default="", help="Where it will be published, OWNER/NAME.")
@plainly
def card(folder: Path, licence: str, repo: str) -> None:
    """Write FOLDER/README.md: licence, tags, size and digests of each file, how to use them."""
    pins = known_checkpoints(local_files_only=True)
    click.echo(write_card(folder, pins, licence=licence, repo_id=repo))
