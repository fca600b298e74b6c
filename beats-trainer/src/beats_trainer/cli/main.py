"""The `beats` command."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

import click

from beats_trainer.cli import (
    bundle,
    checkpoints,
    classify,
    demo,
    doctor,
    embed,
    export,
    pin,
    publish,
    report,
    search,
    summary,
    train,
)
from beats_trainer.foreign.names import printable
from beats_trainer.redaction import veiled


class VeiledFormatter(logging.Formatter):
    """Lines of the log, and the tracebacks in them, without tokens and passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return printable(veiled(super().format(record)))


def print_veiled(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback without tokens and passwords."""
    click.echo(veiled("".join(traceback.format_exception(kind, error, trace))), err=True, nl=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beats-trainer")
@click.option("-v", "--verbose", is_flag=True, help="Say more, on stderr.")
def main(*, verbose: bool) -> None:
    """BEATs audio embeddings: fetch a checkpoint, embed recordings, publish your own."""
    handler = logging.StreamHandler()
    handler.setFormatter(VeiledFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    sys.excepthook = print_veiled
    for noisy in ("httpx", "httpx2", "filelock", "huggingface_hub"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


for command in (
    checkpoints.list_,
    checkpoints.info,
    checkpoints.fetch,
    checkpoints.verify,
    embed.embed,
    search.search,
    report.report,
    demo.demo,
    publish.card,
    pin.pin,
    bundle.bundle,
    publish.publish,
    doctor.doctor,
    classify.classify,
    train.labels,
    train.split,
    train.train,
    train.evaluate,
    summary.summary,
    export.export,
):
    main.add_command(command)
