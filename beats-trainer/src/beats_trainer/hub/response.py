"""The answer to an HTTP request, its body in blocks, whichever HTTP library huggingface_hub brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from huggingface_hub import constants
from huggingface_hub.utils import hf_raise_for_status

from beats_trainer.errors import FetchError
from beats_trainer.foreign.measure import shown
from beats_trainer.hub.session import open_session
from beats_trainer.pins.origin import origin_of

BLOCK = 1 << 14
HOPS = 10
MOVED = {301, 302, 303, 307, 308}
COMMIT = "X-Repo-Commit"


@dataclass(frozen=True)
class Answer:
    """What came back, its body still on the way."""

    status: int
    url: str
    headers: Mapping[str, str]
    blocks: Iterator[bytes]

    @property
    def location(self) -> str:
        """Where the file is: there, or where the answer leads to."""
        there = self.headers.get("Location", "") if self.status in MOVED else ""
        return urljoin(self.url, there) if there else self.url

    @property
    def packing(self) -> str:
        """How the body is packed; empty where it is as it is."""
        packing = self.headers.get("Content-Encoding", "").strip().lower()
        return "" if packing == "identity" else packing

    def whole(self, most: int) -> bytes:
        """The body, if it is not longer than `most` bytes.

        Raises:
            FetchError: It is.
        """
        body = bytearray()
        for block in self.blocks:
            body += block
            if len(body) > most:
                message = (
                    f"the answer of {self.url} does not end: expected at most {most:,} bytes, got more. It "
                    "was not used. Check HF_ENDPOINT, and what stands between, such as a proxy (HTTPS_PROXY)."
                )
                raise FetchError(message)
        return bytes(body)


class _Head:
    """An answer that is an error: its body, which may have no end, is read by nobody."""

    text = ""

    def __init__(self, response: object) -> None:
        self._response = response

    def json(self) -> dict[str, object]:
        return {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)


@contextmanager
def open_answer(
    url: str, headers: Mapping[str, str], *, method: str = "GET", timeout: float | None = None
) -> Iterator[Answer]:
    """Asks for something and gives the answer, block by block.

    Redirects are followed, without the token as soon as they leave the origin that was asked. That of a
    `HEAD` which says of which commit the file is, and leads elsewhere, is the answer itself.

    Raises:
        FetchError: The answer is packed, or leads nowhere.
        Exception: Those of huggingface_hub and of its HTTP library.
    """
    with ExitStack() as stack:
        for _ in range(HOPS):
            response = stack.enter_context(_sent(method, url, headers, timeout))
            if response.status_code >= 400:
                hf_raise_for_status(_Head(response))  # type: ignore[arg-type]
            body = response.iter_bytes() if hasattr(response, "iter_bytes") else response.iter_content(BLOCK)
            answer = Answer(response.status_code, url, response.headers, body)
            if _is_last(answer, method):
                if answer.packing and method != "HEAD":
                    raise _packed(answer)
                yield answer
                return
            stack.close()
            headers = for_origin(headers, url, answer.location)
            url = answer.location
    raise _nowhere(url)


def _sent(method: str, url: str, headers: Mapping[str, str], timeout: float | None) -> Any:
    if not origin_of(url).startswith("http"):
        raise _nowhere(url)
    session = open_session()
    wait = constants.HF_HUB_DOWNLOAD_TIMEOUT if timeout is None else timeout
    if callable(getattr(session, "stream", None)):
        # Blocks as they come: what is collected into larger ones is lost when the connection breaks.
        return session.stream(method, url, headers=headers, timeout=wait, follow_redirects=False)
    return session.request(method, url, headers=headers, timeout=wait, stream=True, allow_redirects=False)


def _is_last(answer: Answer, method: str) -> bool:
    if answer.location == answer.url:
        return True
    leaves = origin_of(answer.location) != origin_of(answer.url)
    return method == "HEAD" and leaves and COMMIT in answer.headers


def for_origin(headers: Mapping[str, str], asked: str, url: str) -> dict[str, str]:
    """The headers for a url, made for the one that was asked: another origin sees no token."""
    if origin_of(asked) == origin_of(url):
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}


def _packed(answer: Answer) -> FetchError:
    message = (
        f"the answer of {answer.url} is packed ({shown(answer.packing)}): expected the bytes as they are, "
        "as was asked for. It was not used. Look at what stands between, such as a proxy (HTTPS_PROXY)."
    )
    return FetchError(message)


def _nowhere(url: str) -> FetchError:
    message = (
        f"{shown(url)} leads nowhere: expected redirects that end at an address with http or https. "
        "Nothing was used. Check HF_ENDPOINT, and what stands between, such as a proxy (HTTPS_PROXY)."
    )
    return FetchError(message)
