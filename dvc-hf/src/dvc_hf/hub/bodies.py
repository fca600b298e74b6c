"""Contents as they arrive over HTTP: as they are, never packed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub import constants
from huggingface_hub.utils import hf_raise_for_status, http_stream_backoff

from dvc_hf.hub import answers
from dvc_hf.hub.errors import RejectedError

PAST_THE_END = 416  # a part was asked for that begins where the file ends: it is empty
UNANNOUNCED = 64 * 1024 * 1024  # bytes that are read of an answer that does not say its size


class Body:
    """The content of one answer.

    Attributes:
        is_part: whether it begins where it was asked to, not at the file's start.
        announced: how many bytes it has, as the answer says.
    """

    def __init__(self, response: Any) -> None:
        """Look at the head of an answer.

        Raises:
            RejectedError: the content is packed, so that what it unfolds to is bounded by nothing.
        """
        if (response.headers.get("Content-Encoding") or "identity").lower() != "identity":
            raise RejectedError(answers.packed_answer(response))
        length = response.headers.get("Content-Length", "")
        self.is_part = response.status_code == 206
        self.announced = int(length) if length.isascii() and length.isdecimal() else None
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        if self._response.status_code != PAST_THE_END:
            yield from self._response.iter_raw()

    def read(self, first: int, stop: int | None, most: int | None = None) -> bytes:
        """The bytes from ``first`` up to ``stop``, whichever part of the file the answer has.

        Raises:
            RejectedError: there is more than was asked for, announced, or at ``most`` may be.
        """
        begins = first if self.is_part else 0
        limit = self._limit(most) if stop is None else stop - begins
        content = bytearray()
        for block in self:
            content += block
            if len(content) > limit:
                self._expect_whole_file(stop, limit)
                break
        return bytes(content[first - begins : None if stop is None else stop - begins])

    def _limit(self, most: int | None) -> int:
        return min(UNANNOUNCED if self.announced is None else self.announced, most or sys.maxsize)

    def _expect_whole_file(self, stop: int | None, limit: int) -> None:
        """Take more than was asked for only from who sends a whole file instead of a part."""
        if stop is None or self.is_part:
            raise RejectedError(answers.long_answer(self._response, limit))


@contextmanager
def open_body(url: str, headers: dict[str, str], first: int = 0, stop: int | None = None) -> Iterator[Body]:
    """Ask for a file, or for its bytes from ``first`` up to ``stop``; whoever may ignore the range does."""
    asked = {**headers, "Accept-Encoding": "identity"}
    if first or stop is not None:
        asked["Range"] = f"bytes={first}-{'' if stop is None else stop - 1}"
    with http_stream_backoff(
        "GET",
        url,
        headers=asked,
        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        retry_on_exceptions=(),  # the caller asks again, and tells of it
        retry_on_status_codes=(),
    ) as response:
        if response.status_code != PAST_THE_END:
            hf_raise_for_status(response)
        yield Body(response)
