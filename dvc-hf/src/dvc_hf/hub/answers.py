"""An answer that is read whole comes to an end, and is not packed: whoever sends it, and whatever it says.

huggingface_hub reads listings and refusals without a bound. Contents of files pass here untouched: who reads
them knows their size.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from dvc_hf.hub import names
from dvc_hf.hub.errors import RejectedError

LARGEST_ANSWER = 128 * 1024 * 1024  # bytes: the description of a repository with a million files
LARGEST_RECEIPT = 1024 * 1024  # bytes: that an upload has arrived
LARGEST_REFUSAL = 8 * 1024  # bytes; more explains nothing


def ask_unpacked(request: Any) -> None:
    """Ask for an answer as it is: of a packed one nobody knows how large it unfolds."""
    if _is_call(request):
        request.headers["Accept-Encoding"] = "identity"


def bound_answer(response: Any) -> None:
    """Let the body of an answer end, before anybody reads it.

    Raises:
        RejectedError: it is packed, though nobody asked for that.
    """
    is_packed = (response.headers.get("Content-Encoding") or "identity").lower() != "identity"
    if response.status_code >= 300:
        response.stream = _bounded(response, 0 if is_packed else LARGEST_REFUSAL, is_cut=True)
    elif _is_call(response.request):
        if is_packed:
            raise RejectedError(packed_answer(response))
        most = LARGEST_ANSWER if _is_described(response.request.url.path) else LARGEST_RECEIPT
        response.stream = _bounded(response, most, is_cut=False)


def packed_answer(response: Any) -> str:
    """The message for an answer that is packed."""
    packing = names.quoted(response.headers.get("Content-Encoding"))
    return (
        f"cannot read {response.url.host}'s answer: expected it as it is, got one packed as {packing}. "
        "A proxy between here and the Hub changes contents: go around it."
    )


def long_answer(response: Any, most: int) -> str:
    """The message for an answer that goes on past its end."""
    return (
        f"cannot read {response.url.host}'s answer: expected at most {most} bytes, got more. "
        "Nothing of it was kept: check the address ('endpointurl' or HF_ENDPOINT)."
    )


def _is_call(request: Any) -> bool:
    """Whether the answer is a text of the Hub's own, not the content of a file."""
    return request.method != "GET" or _is_described(request.url.path)


def _is_described(path: str) -> bool:
    """Whether a text about many files is asked for: by the API, or where a group of uploads goes.

    The names in a path may be any: a repository may be called `resolve`, and a file lie in a folder `api`.
    """
    before, api, after = path.partition("/api/")
    if not api or "/resolve/" in f"{before}/":
        return path.endswith("/info/lfs/objects/batch")  # a large file has an address for each of its parts
    return not after.startswith("resolve-cache/")


def _bounded(response: Any, most: int, *, is_cut: bool) -> Any:
    library = import_module(type(response).__module__.partition(".")[0])  # the client's: httpx or httpx2
    return _stream_of(library.SyncByteStream)(response, most, is_cut)


@cache
def _stream_of(base: type) -> type:
    class BoundedStream(base):  # type: ignore[misc]
        """A body of which so many bytes are read; what is cut there ends, anything else is refused."""

        def __init__(self, response: Any, most: int, is_cut: bool) -> None:
            self._response, self._most, self._is_cut = response, most, is_cut
            self._stream = response.stream

        def __iter__(self) -> Iterator[bytes]:
            left = self._most
            for block in self._stream:
                yield block[:left]
                left -= len(block)
                if left < 0 and not self._is_cut:
                    raise RejectedError(long_answer(self._response, self._most))
                if left <= 0 and self._is_cut:
                    return

        def close(self) -> None:
            self._stream.close()

    return BoundedStream
