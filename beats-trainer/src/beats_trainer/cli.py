"""The `beats` command."""

from __future__ import annotations

import logging

import click

from beats_trainer.commands import bundle, card, classify, demo, doctor, export, pin, publish, registry
from beats_trainer.scale import command as scale
from beats_trainer.view import command as view


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beats-trainer")
@click.option("-v", "--verbose", is_flag=True, help="Say more, on stderr.")
def main(*, verbose: bool) -> None:
    """BEATs audio embeddings: fetch a checkpoint, embed recordings, publish your own."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s")
    for noisy in ("httpx", "httpx2", "filelock", "huggingface_hub"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


for command in (
    registry.list_,
    registry.info,
    registry.fetch,
    registry.verify,
    scale.embed,
    view.search,
    view.report,
    demo.demo,
    card.card,
    pin.pin,
    bundle.bundle,
    publish.publish,
    doctor.doctor,
    classify.classify,
    export.export,
):
    main.add_command(command)
