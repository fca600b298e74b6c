"""What every subcommand does alike: data on stdout, everything else on stderr, errors as one sentence."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from beats_trainer.errors import BeatsError
from beats_trainer.foreign.names import printable
from beats_trainer.redaction import veiled

if TYPE_CHECKING:
    from beats_trainer.embed.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])


def say(text: str) -> None:
    """One line for the reader, on stderr."""
    click.echo(printable(text), err=True)


def put(value: object) -> None:
    """Data, on stdout, as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def put_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Data, on stdout, in columns."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(printable("  ".join(cells).rstrip()))


def plainly(command: Command) -> Command:
    """Turns the errors that are meant for the user into a message and exit status 1."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except OSError as error:
            if closed_pipe(error):  # `| head -1` has its line: click ends the command without a word
                raise BrokenPipeError(errno.EPIPE, "nobody reads on") from error
            raise click.ClickException(printable(veiled(str(error)))) from error
        except (BeatsError, ValueError) as error:
            raise click.ClickException(printable(veiled(str(error)))) from error

    return wrapper  # type: ignore[return-value]


def closed_pipe(error: OSError) -> bool:
    """Whether the reader of our output has gone; Windows calls that an invalid argument of no file."""
    windows = os.name == "nt" and error.errno == errno.EINVAL and error.filename is None
    return error.errno == errno.EPIPE or windows


def size_of(size: int | None) -> str:
    """`361.5 MB`."""
    if size is None:
        return "unknown"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size:,} B"


class Display:
    """The progress, on stderr: a line that changes on a terminal, a line every half minute elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._pause_s = 0.5 if self._terminal else 30.0
        self._last = time.monotonic()
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        """Show it, unless it has just been shown."""
        if time.monotonic() - self._last < self._pause_s:
            return
        self._last = time.monotonic()
        text = str(progress)
        click.echo(
            f"\r{text.ljust(self._width)}" if self._terminal else text, err=True, nl=not self._terminal
        )
        self._width = len(text)

    def close(self) -> None:
        """End the line."""
        if self._width and self._terminal:
            click.echo(err=True)
