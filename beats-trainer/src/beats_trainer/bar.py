"""How far a download has come, where somebody looks on: the one thing that the library shows by itself."""

from __future__ import annotations

import sys
from typing import Any


class Bar:
    """A progress bar on stderr, made when the first bytes are there; nothing in a log or a pipe."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None

    def __call__(self, done: int, total: int | None) -> None:
        """Move the bar to `done` of `total` bytes."""
        if self._bar is None:
            from tqdm.auto import tqdm

            shown = somebody_looks()
            self._bar = tqdm(total=total, unit="B", unit_scale=True, desc=self._label, disable=not shown)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()


def somebody_looks() -> bool:
    """Whether stderr is a terminal or this is a notebook, and huggingface_hub's bars are not turned off."""
    from huggingface_hub.utils import are_progress_bars_disabled

    terminal = sys.stderr is not None and sys.stderr.isatty()
    return (terminal or in_notebook()) and not are_progress_bars_disabled()


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this: its stderr is no terminal, and is seen."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config
