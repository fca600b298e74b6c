"""What ends a command: our own errors are whole sentences, and no surprise of DVC's."""

import logging
import sys
from collections.abc import Callable
from typing import Any

Original = Callable[..., Any]
logger = logging.getLogger("dvc.hf")


def log_exceptions(original: Original, error: Exception) -> Any:
    """Say what ended a command; DVC calls what it does not know "unexpected error"."""
    ours = sys.modules.get("dvc_hf.hub.errors")  # not loaded: no Hub had to do with it
    if ours is None or not isinstance(error, ours.HubUnavailableError | ours.RejectedError):
        return original(error)
    logger.exception("%s", error, extra={"tb_only": True})
    return None
