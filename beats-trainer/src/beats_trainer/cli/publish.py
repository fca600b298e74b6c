"""`beats publish`: a checkpoint of your own, on the Hub."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from beats_trainer.cli.output import plainly, put, say, size_of
from beats_trainer.cli.train import find_head
from beats_trainer.hub.fetch import find_checkpoint, known_checkpoints
from beats_trainer.pins.address import parse_place
from beats_trainer.pins.digest import file_digest
from beats_trainer.pins.pin import Pin
from beats_trainer.publish.card import write_card

if TYPE_CHECKING:
    from beats_trainer.publish.card import Statement

KEY = click.Path(path_type=Path, exists=True, dir_okay=False)
licence_link = click.option(
    "--licence-link", default="", help="Where the text of a licence of your own is: https://... or LICENSE."
)


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True))
@click.option("--to", "target", required=True, metavar="OWNER/NAME", help="The model repository.")
@click.option("--licence", default="", help="Its licence, for example mit  [default: that of its base]")
@licence_link
@click.option("--base", default="", help="The checkpoint it was made from, by name or OWNER/NAME.")
@click.option("--dataset", "datasets", multiple=True, help="What it was trained on; may be repeated.")
@click.option("--tag", default="", help="A tag for the commit.")
@click.option("--private", is_flag=True, help="If the repository has to be made, make it private.")
@click.option(
    "--sign", "key", type=click.Path(path_type=Path, exists=True), help="A private key, PEM: sign the files."
)
@click.option("--dry-run", is_flag=True, help="Convert, check and show the files; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def publish(
    checkpoint: Path,
    target: str,
    licence: str,
    base: str,
    datasets: tuple[str, ...],
    licence_link: str,
    tag: str,
    key: Path | None,
    *,
    private: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Convert CHECKPOINT to safetensors, check it against the source, and publish it with a card.

    One commit: model.safetensors, config.json, README.md, label_map.json where it has labels, and
    model.sig where it is signed (the password of the key is read from BEATS_SIGNING_PASSWORD).

    Of a head, CHECKPOINT is the folder that `beats train` wrote: head.safetensors, metrics.json, params.yaml
    and a card with its figures, labels and split.
    """
    from beats_trainer.hub.signature import sign_files
    from beats_trainer.publish.card import Statement
    from beats_trainer.publish.upload import send_files

    place = parse_place(f"hf://{target}")
    known = _base(checkpoint, base)
    stated = _licence(licence, known, checkpoint)
    statement = Statement(
        stated, base or (known.name if known else ""), datasets, place.repo_id, licence_link
    )
    with tempfile.TemporaryDirectory() as folder:
        files = _written(checkpoint, Path(folder), statement)
        if key is not None:
            files.append(sign_files(files, key, os.environ.get("BEATS_SIGNING_PASSWORD")))
        report = [
            {"file": path.name, "size": path.stat().st_size, "sha256": file_digest(path, "sha256")}
            for path in files
        ]
        commit = "" if dry_run else send_files(files, place, private=private, tag=tag)
    if as_json:
        put({"repository": str(place), "commit": commit, "files": report})
        return
    for row in report:
        click.echo(f"{row['file']}  {size_of(int(str(row['size'])))}  sha256 {row['sha256']}")
    if dry_run:
        say(f"Nothing was sent to {place}: --dry-run.")
    else:
        click.echo(f"{place.repo_id}@{commit}")


def _written(checkpoint: Path, folder: Path, statement: Statement) -> list[Path]:
    """The files of a head with its figures, or of a checkpoint, converted and compared."""
    if head := find_head(checkpoint):
        from beats_trainer.train.publication import write_head_publication

        return write_head_publication(head.parent, folder, statement)
    if checkpoint.is_dir():
        message = (
            f"{checkpoint} is a folder without a head. Expected a checkpoint file, or a folder that `beats "
            "train` wrote."
        )
        raise click.ClickException(message)
    from beats_trainer.publish.package import write_publication

    files = write_publication(checkpoint, folder, statement)
    say(f"{checkpoint} and {files[0].name} give the same embeddings, number by number.")
    return files


def _base(checkpoint: Path, base: str) -> Pin | None:
    """The pin of the base that is named; else that whose bytes the checkpoint has, or a head's encoder."""
    if base:
        return find_checkpoint(base)
    digest = _encoder_digest(checkpoint)
    pins = known_checkpoints(local_files_only=True)
    return next((pin for pin in pins if pin.digests.get("sha256") == digest), None)


def _encoder_digest(checkpoint: Path) -> str:
    if head := find_head(checkpoint):
        from beats_trainer.train.head_file import load_head
        from beats_trainer.train.publication import base_digest

        return base_digest(head.parent, load_head(head))
    return file_digest(checkpoint, "sha256") if checkpoint.is_file() else ""


def _licence(licence: str, base: Pin | None, checkpoint: Path) -> str:
    stated = licence or (base.licence if base else "")
    if not stated:
        message = (
            f"no licence is known for {checkpoint}. Say it with --licence, or name its base with --base."
        )
        raise click.ClickException(message)
    if base and base.licence:
        from beats_trainer.publish.package import check_licence

        check_licence(stated, base.licence, base.name)
    return stated


# `beats card`: the README of a folder of checkpoints.
@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--licence", default="", help="Of the whole folder  [default: that of its files, if known]")
@licence_link
@click.option(
    "--repo", default="", help="Where it will be published, OWNER/NAME  [default: the remote of DVC]"
)
@plainly
def card(folder: Path, licence: str, licence_link: str, repo: str) -> None:
    """Write FOLDER/README.md: licence, tags, size and digests of each file, how to use them."""
    pins = known_checkpoints(local_files_only=True)
    click.echo(write_card(folder, pins, licence=licence, link=licence_link, repo_id=repo))
