"""Questions to one repository or bucket of the Hub, many paths a request, with errors that say what to do."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import ClassVar, TypeVar

from huggingface_hub import HfApi
from huggingface_hub.errors import BucketNotFoundError, RepositoryNotFoundError
from huggingface_hub.utils import disable_progress_bars

from dvc_hf import masks
from dvc_hf.hub import bodies, credentials, limits, names
from dvc_hf.hub.changes import Entry, Upload, Uploaded
from dvc_hf.hub.credentials import LIBRARY, Credential
from dvc_hf.hub.endpoint import parse_endpoint
from dvc_hf.hub.errors import Failure, explain_failure
from dvc_hf.hub.kinds import LARGEST_TEXT
from dvc_hf.hub.location import Location
from dvc_hf.hub.promises import Digest
from dvc_hf.hub.retry import retry_request
from dvc_hf.log import logger

PATHS_PER_REQUEST = 1000  # the Hub answers 413 above
REPO_TYPES = ("dataset", "model", "space")
REQUESTS_AT_ONCE = 4
WRITTEN_WITHIN_S = 90.0  # the Hub gives up after 60, and may make the change all the same
Answer = TypeVar("Answer")


class Client(ABC):
    """One repository at one branch, or one bucket, as one user; what the two do differently is below."""

    MOST_CHANGES: ClassVar[int]
    """How many changes one write may hold."""
    IS_ATOMIC: ClassVar[bool]
    """Whether a write is there as a whole or not at all."""

    def __init__(
        self, place: Location, *, endpoint: str | None, credential: Credential, create: str | None
    ) -> None:
        disable_progress_bars()  # DVC draws its own
        limits.limit_silence()
        masks.install_masks()
        limits.limit_memory()
        self.place = place.root
        self.address = parse_endpoint(endpoint, "endpointurl") if endpoint else credentials.home_endpoint()
        self.endpoint = self.address.url
        self.create = create
        self.credential = credential
        self.api = HfApi(endpoint=self.endpoint, token=self._permitted(), library_name=LIBRARY)

    @property
    def token(self) -> str | None:
        """The token that requests carry, from the remote's options or the user's login."""
        if self.credential.refusal:
            return None
        return self.credential.token or credentials.login_token()

    def _permitted(self) -> str | bool | None:
        """What the client is to send, checked before: a token, the login (None), or neither (False)."""
        if self.token is None:
            return False
        credentials.permit_token(self.address, self.credential.token)
        return self.credential.token

    @property
    def headers(self) -> dict[str, str]:
        """Headers that identify the user."""
        return self.api._build_hf_headers()  # noqa: SLF001

    def ask(self, question: Callable[[], Answer], doing: str, place: Location | None = None) -> Answer:
        """Ask the Hub; wait out passing failures, explain the others."""
        place = place or self.place
        try:
            return retry_request(question, f"{doing} {place.url}")
        except Exception as error:  # noqa: BLE001 - the one door for foreign errors
            raise self.explained(error, doing, place) from None

    def explained(self, error: Exception, doing: str, place: Location | None = None) -> Exception:
        """The error to raise instead of what came from below."""
        place = place or self.place
        failure = Failure(error, doing, place, self.address.shown, self.token, self.credential.refusal)
        if isinstance(error, RepositoryNotFoundError) and place.repo_id == self.place.repo_id:
            failure = replace(failure, namesake=self._namesake())
        logger.debug("%s: %s: %s", failure.start, type(error).__name__, failure.said)
        return explain_failure(failure)

    def _namesake(self) -> Location | None:
        """A repository of the same name and another type, which the url may have meant."""
        others = [replace(self.place.root.at(None), repo_type=kind) for kind in REPO_TYPES]
        with suppress(Exception):  # the failure itself is told anyway
            for other in others:
                if other.repo_type != self.place.repo_type and self.api.repo_exists(
                    other.repo_id, repo_type=other.repo_type
                ):
                    return other
        return None

    def entries(
        self, paths: Iterable[str], revision: str | None = None, *, last_commit: bool = False
    ) -> dict[str, Entry]:
        """Those of the paths that exist, by path; a thousand a request."""
        wanted = sorted(path for path in set(paths) if not names.is_impossible(path))
        page = PATHS_PER_REQUEST
        pages = [wanted[start : start + page] for start in range(0, len(wanted), page)]

        def one(page: list[str]) -> list[Entry]:
            return self._page(page, revision or self.place.branch, last_commit)

        if len(pages) <= 1:
            found: Iterable[list[Entry]] = [one(page) for page in pages]
        else:
            with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
                found = list(pool.map(one, pages))
        return {entry.path: entry for entry in chain.from_iterable(found)}

    def small_file(self, path: str, revision: str) -> bytes:
        """A small text of the repository; empty where there is none."""

        def question() -> bytes:
            with bodies.open_body(self.content_url(path, revision), self.headers, 0, None) as body:
                return body.read(0, None, LARGEST_TEXT)

        try:
            return self.ask(question, "read", replace(self.place.at(revision), path_in_repo=path))
        except FileNotFoundError:
            return b""

    def exists(self) -> bool:
        """Whether the repository or bucket is there for this user."""
        try:
            retry_request(self._look, f"read {self.place.url}")
        except (RepositoryNotFoundError, BucketNotFoundError):
            return False
        except Exception as error:  # noqa: BLE001 - as above
            raise self.explained(error, "read") from None
        return True

    def make(self) -> None:
        """Make the repository or bucket, as the remote's option ``create`` says."""
        logger.info("Creating %s %s %s", self.create, self.place.kind, self.place.url)
        self.ask(lambda: self._make(is_private=self.create == "private"), "create")

    # what a repository and a bucket do differently -----------------------------------------------

    @abstractmethod
    def head(self) -> str:
        """What a listing of now is of: the branch's commit hash, or nothing for a bucket."""

    @abstractmethod
    def tree(self, path: str, revision: str | None = None, *, recursive: bool = False) -> list[Entry]:
        """Everything below a folder, or nothing where there is no such folder."""

    @abstractmethod
    def folder(self, path: str) -> Entry | None:
        """The folder at a path, where ``entries`` finds files alone."""

    @abstractmethod
    def send(self, group: Sequence[Upload], jobs: int) -> Iterator[Uploaded | Exception]:
        """Send the content of files, a group of them in as few requests as there can be."""

    @abstractmethod
    def inline(self, upload: Upload) -> Uploaded:
        """Make a small file ready for the next write."""

    @abstractmethod
    def write(
        self, added: Sequence[Uploaded], removed: Iterable[str], message: str, parent: str | None = None
    ) -> str:
        """Make the changes, on this parent alone if one is named. It is not repeated.

        Returns:
            The commit hash, or nothing for a bucket, which has no commits and so no parents.
        """

    @abstractmethod
    def content_url(self, path: str, revision: str) -> str:
        """Where a file's content is read over HTTP."""

    @abstractmethod
    def xet_route(self, revision: str) -> str:
        """Where a token is had that reads files out of the Xet store."""

    @abstractmethod
    def digester(self, entry: Entry) -> Digest | None:
        """What reckons a file's etag while it arrives, where that can be done."""

    @abstractmethod
    def digest(self, path: Path, entry: Entry) -> str:
        """The etag that the Hub would give to a local file, if it is the file of this entry."""

    @abstractmethod
    def _page(self, paths: list[str], revision: str, last_commit: bool) -> list[Entry]:
        """Those of at most a thousand paths that exist."""

    @abstractmethod
    def _look(self) -> object:
        """Ask for the repository or bucket itself; the client's own error where it is not there."""

    @abstractmethod
    def _make(self, *, is_private: bool) -> object:
        """Make it; nothing where it is there already."""
