"""BEATs audio embeddings from verified checkpoints."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from beats_trainer.startup import paused

if TYPE_CHECKING:
    from beats_trainer.extractor import BEATsFeatureExtractor
    from beats_trainer.hub.fetch import fetch_checkpoint, list_checkpoints
    from beats_trainer.load import load_model

__all__ = ["BEATsFeatureExtractor", "fetch_checkpoint", "list_checkpoints", "load_model"]

# Imported when first used: torch alone takes most of a second.
_HOMES = {
    "BEATsFeatureExtractor": "beats_trainer.extractor",
    "fetch_checkpoint": "beats_trainer.hub.fetch",
    "list_checkpoints": "beats_trainer.hub.fetch",
    "load_model": "beats_trainer.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    with paused():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
