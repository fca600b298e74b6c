"""What a Hub says of a file before it sends it: its commit, digest, size, and where its bytes are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from huggingface_hub import constants

from beats_trainer.errors import FetchError
from beats_trainer.foreign.measure import shown
from beats_trainer.hub.credential import address_of, headers_for
from beats_trainer.hub.response import COMMIT, Answer, open_answer
from beats_trainer.pins.address import COMMIT_HASH, PREFIXES, Place
from beats_trainer.pins.digest import GIT_SHA1, SHA256
from beats_trainer.pins.origin import origin_of

ETAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,127}")
SIZE = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Announcement:
    """What the head of an answer says; each part may be made a name of a file.

    Raises:
        FetchError: A part is none that a Hub gives.
    """

    url: str
    location: str
    etag: str
    commit: str
    size: int | None

    def __post_init__(self) -> None:
        if not ETAG.fullmatch(self.etag):
            raise _foreign(self.url, "ETag", self.etag, "a digest")
        if not COMMIT_HASH.fullmatch(self.commit):
            raise _foreign(self.url, COMMIT, self.commit, "40 hex digits")

    @property
    def leaves(self) -> bool:
        """Whether the bytes are on another host than the Hub's: then their address is signed, for a while."""
        return origin_of(self.location) != origin_of(self.url)

    @property
    def digests(self) -> dict[str, str]:
        """The digest that the ETag is: of a large file its SHA-256, of a small one git's."""
        if SHA256.fullmatch(self.etag):
            return {"sha256": self.etag}
        return {"git": self.etag} if GIT_SHA1.fullmatch(self.etag) else {}


def ask_for(place: Place) -> Announcement:
    """Asks a Hub about a file.

    Raises:
        FetchError: What answers is no Hub.
        Exception: Those of huggingface_hub and of its HTTP library.
    """
    repo, revision = f"{PREFIXES[place.repo_type]}{place.repo_id}", quote(place.revision, safe="")
    url = f"{address_of(place)}/{repo}/resolve/{revision}/{quote(place.path)}"
    wait = constants.HF_HUB_ETAG_TIMEOUT
    with open_answer(url, headers_for(place), method="HEAD", timeout=wait) as answer:
        return _read(url, answer)


def _read(url: str, answer: Answer) -> Announcement:
    headers = answer.headers
    etag, commit = headers.get("X-Linked-Etag") or headers.get("ETag"), headers.get(COMMIT)
    if etag is None or commit is None:
        message = (
            f"the answer of {url} has no ETag or no {COMMIT}: this is no Hub, or a proxy took them away. "
            "Check HF_ENDPOINT and HTTPS_PROXY."
        )
        raise FetchError(message)
    return Announcement(url, answer.location, etag.removeprefix("W/").strip('"'), commit, _size(answer))


def _size(answer: Answer) -> int | None:
    own = None
    if answer.location == answer.url and not answer.packing:
        own = answer.headers.get("Content-Length")
    return size_in(answer.headers.get("X-Linked-Size") or own)


def size_in(header: str | None) -> int | None:
    """The number of bytes that a header says, if it says one."""
    return int(header) if header and SIZE.fullmatch(header) else None


def _foreign(url: str, header: str, value: str, expected: str) -> FetchError:
    message = (
        f"the answer of {url} has the {header} {shown(value)}: expected {expected}. This is no Hub, or a "
        "proxy changed it. Nothing was fetched. Check HF_ENDPOINT and HTTPS_PROXY."
    )
    return FetchError(message)
