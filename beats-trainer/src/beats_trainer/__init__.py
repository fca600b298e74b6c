"""BEATs audio embeddings from verified checkpoints."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from beats_trainer.startup import paused

if TYPE_CHECKING:
    from beats_trainer.checkpoint.write import save_checkpoint
    from beats_trainer.embed.start import embed_recordings
    from beats_trainer.extractor import BEATsFeatureExtractor
    from beats_trainer.fine_tuning import fit_encoder
    from beats_trainer.hub.fetch import fetch_checkpoint, list_checkpoints
    from beats_trainer.load import load_model
    from beats_trainer.search.query import search_table
    from beats_trainer.table.table import read_table
    from beats_trainer.trainer import BEATsTrainer

    __version__: str

__all__ = [
    "BEATsFeatureExtractor",
    "BEATsTrainer",
    "__version__",
    "embed_recordings",
    "fetch_checkpoint",
    "fit_encoder",
    "list_checkpoints",
    "load_model",
    "read_table",
    "save_checkpoint",
    "search_table",
]

# Imported when first used: torch alone takes most of a second.
_HOMES = {
    "BEATsFeatureExtractor": "beats_trainer.extractor",
    "BEATsTrainer": "beats_trainer.trainer",
    "embed_recordings": "beats_trainer.embed.start",
    "fetch_checkpoint": "beats_trainer.hub.fetch",
    "fit_encoder": "beats_trainer.fine_tuning",
    "list_checkpoints": "beats_trainer.hub.fetch",
    "load_model": "beats_trainer.load",
    "read_table": "beats_trainer.table.table",
    "save_checkpoint": "beats_trainer.checkpoint.write",
    "search_table": "beats_trainer.search.query",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("beats-trainer")
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    with paused():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
