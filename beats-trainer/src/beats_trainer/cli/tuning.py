"""How far a fine-tuning is, on stderr: its losses, the time left, and what Ctrl-C keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from beats_trainer.bar import somebody_looks
from beats_trainer.cli.output import say

if TYPE_CHECKING:
    from beats_trainer.train.settings import TrainSettings

STOPPED = 130  # what a shell makes of Ctrl-C
PARTS = 1000  # of the bar


@contextmanager
def shown_tuning(settings: TrainSettings) -> Iterator[Callable[[str, float], None]]:
    """Gives what `fit_encoder` calls; Ctrl-C ends the command, and says that the same one goes on."""
    shown = _Shown(settings.epochs)
    try:
        yield shown
    except KeyboardInterrupt as error:
        shown.close()
        say("stopped, and what was learnt is kept: the same command goes on from here")
        raise click.exceptions.Exit(STOPPED) from error
    finally:
        shown.close()


class _Shown:
    """A bar where somebody looks, and a line for each epoch everywhere."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._loss: float | None = None
        self._done = 0.0
        self._bar: Any = None

    def __call__(self, name: str, value: float) -> None:
        """One thing that is known."""
        if name == "loss":
            self._loss = value
        elif name == "val_loss":
            epoch = round(self._done * self._epochs)
            say(
                f"epoch {epoch} of at most {self._epochs}: loss {self._loss or 0:.4f}, validation {value:.4f}"
            )
        elif name == "progress":
            self._move(value)

    def _move(self, share: float) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm

            shape = "{desc}: {percentage:3.0f}%|{bar}| {remaining} left"
            self._bar = tqdm(total=PARTS, desc="learning", disable=not somebody_looks(), bar_format=shape)
            self._bar.update(int(self._done * PARTS))
        self._bar.update(int(share * PARTS) - self._bar.n)
        self._done = share

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()
