"""Labels, splits, heads and their scores: what is learnt from a table of embeddings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beats_trainer.train.formats import read_labels
    from beats_trainer.train.head_file import load_head
    from beats_trainer.train.run import evaluate, fit
    from beats_trainer.train.settings import TrainSettings
    from beats_trainer.train.split import make_split

__all__ = ["TrainSettings", "evaluate", "fit", "load_head", "make_split", "read_labels"]

_HOMES = {
    "TrainSettings": "settings",
    "evaluate": "run",
    "fit": "run",
    "load_head": "head_file",
    "make_split": "split",
    "read_labels": "formats",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
