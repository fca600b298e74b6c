"""Packages that only some uses need, imported when they are."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from beats_trainer.errors import MissingExtraError


def needs(module: str, extra: str, why: str, otherwise: str = "") -> ModuleType:
    """Imports what an extra brings.

    Args:
        module: Its name.
        extra: That of this package which brings it.
        why: The message's first words: what needs which package.
        otherwise: What else can be done than to install it, as `, or ...`.

    Raises:
        MissingExtraError: It is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        message = f"{why} ({error}). Install it: pip install 'beats-trainer[{extra}]'{otherwise}."
        raise MissingExtraError(message) from error
