"""A Hub is neither waited for nor read without end: huggingface_hub sets no limit of its own.

Its listings, preuploads and uploads pass none either, so the limit is laid on each request as it leaves.
"""

import os
from typing import Any

from huggingface_hub import set_client_factory
from huggingface_hub.utils import _http

from dvc_hf.hub.answers import ask_unpacked, bound_answer
from dvc_hf.hub.credentials import guard_request

ANSWER_WITHIN_S = 60.0  # the Hub's own limit; of silence, not of a whole transfer
LIMITED = ("connect", "read", "write")

# Measured with hf_xet 1.8 on a file of 1 GiB: 327 MB at the most instead of 1,133, and no slower.
BUFFERS = {
    "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_SIZE": "256mb",
    "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_PERFILE_SIZE": "64mb",
    "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT": "512mb",
}


def limit_silence() -> None:
    """Let every request of this process end after a silence of HF_HUB_DOWNLOAD_TIMEOUT seconds."""
    make = _http._GLOBAL_CLIENT_FACTORY  # noqa: SLF001 - a factory of the user's own stays in use
    if not hasattr(make, "__dvc_hf__"):
        set_client_factory(_Limited(make))


class _Limited:
    """Makes the clients that another factory makes, with limits and the tokens' gate on every request."""

    __dvc_hf__ = True

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self) -> Any:
        client = self._make()
        hooks = client.event_hooks
        client.event_hooks = {
            **hooks,
            "request": [*hooks.get("request", ()), _limit_request, ask_unpacked, guard_request],
            "response": [*hooks.get("response", ()), bound_answer],
        }
        return client


def _limit_request(request: Any) -> None:
    asked = request.extensions.get("timeout") or {}
    limits = {kind: asked.get(kind) or silence_s() for kind in LIMITED}
    request.extensions["timeout"] = {**asked, **limits}


def silence_s() -> float:
    """Seconds of silence after which a request has failed."""
    asked = os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT", "")
    return float(asked) if asked.isdigit() and int(asked) else ANSWER_WITHIN_S


# Memory stays flat whatever the size of a file: left alone, the Xet client keeps a gigabyte ready.
def limit_memory() -> None:
    """Bound the buffers of downloads through Xet; what the user has set in the environment stays.

    The client reads them when it starts its first transfer, so this comes before.
    """
    for name, size in BUFFERS.items():
        os.environ.setdefault(name, size)
