"""The body of an HTTP answer in blocks, whichever HTTP library huggingface_hub brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from huggingface_hub import constants
from huggingface_hub.utils import get_session, hf_raise_for_status

BLOCK = 1 << 14


@dataclass(frozen=True)
class Answer:
    """What came back, its body still on the way."""

    status: int
    blocks: Iterator[bytes]


@contextmanager
def open_answer(url: str, headers: dict[str, str]) -> Iterator[Answer]:
    """Asks for a file and gives the answer, block by block.

    Raises the errors of huggingface_hub and of its HTTP library.
    """
    session: Any = get_session()
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    if callable(getattr(session, "stream", None)):
        stream = session.stream("GET", url, headers=headers, timeout=timeout, follow_redirects=True)
    else:
        stream = session.get(url, headers=headers, timeout=timeout, stream=True)
    with stream as response:
        hf_raise_for_status(response)
        # Blocks as they come: what is collected into larger ones is lost when the connection breaks.
        body = response.iter_bytes() if hasattr(response, "iter_bytes") else response.iter_content(BLOCK)
        yield Answer(response.status_code, body)
