"""Questions to one repository of the Hub, many paths a request, with errors that say what to do."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.utils import disable_progress_bars

from dvc_hf.errors import Failure, explain
from dvc_hf.location import Location
from dvc_hf.log import logger
from dvc_hf.retries import retried

PATHS_PER_REQUEST = 1000  # the Hub answers 413 above
REQUESTS_AT_ONCE = 4
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Entry:
    """A file or folder as the Hub lists it."""

    path: str
    size: int = 0
    etag: str = ""
    is_large: bool = False
    is_folder: bool = False
    xet_hash: str | None = None
    last_commit: str | None = None

    @classmethod
    def from_listing(cls, item: Any) -> "Entry":
        """Read one item of a listing."""
        last = getattr(item, "last_commit", None)
        commit = getattr(last, "oid", None)
        if not hasattr(item, "blob_id"):
            return cls(item.path, is_folder=True, last_commit=commit)
        etag = item.lfs.sha256 if item.lfs else item.blob_id
        size = item.lfs.size if item.lfs else item.size
        return cls(item.path, size, etag, bool(item.lfs), False, item.xet_hash, commit)


class Client:
    """One repository at one branch, as one user."""

    def __init__(
        self, place: Location, *, endpoint: str | None, token: str | None, create: str | None
    ) -> None:
        disable_progress_bars()  # DVC draws its own
        self.place = place.root
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self.create = create
        self._token = token
        self.api = HfApi(endpoint=self.endpoint, token=token, library_name="dvc-hf")

    @property
    def token(self) -> str | None:
        """The token that requests carry, from the remote's options or the user's login."""
        return self._token or get_token()

    @property
    def headers(self) -> dict[str, str]:
        """Headers that identify the user."""
        return self.api._build_hf_headers()  # noqa: SLF001

    @property
    def repo(self) -> dict[str, Any]:
        """The arguments that name the repository in huggingface_hub's calls."""
        return {"repo_id": self.place.repo_id, "repo_type": self.place.repo_type}

    def ask(self, question: Callable[[], Answer], doing: str, place: Location | None = None) -> Answer:
        """Ask the Hub; wait out passing failures, explain the others."""
        place = place or self.place
        try:
            return retried(question, f"{doing} {place.url}")
        except Exception as error:  # noqa: BLE001 - the one door for foreign errors
            raise self.explained(error, doing, place) from None

    def explained(self, error: Exception, doing: str, place: Location | None = None) -> Exception:
        """The error to raise instead of what came from below."""
        failure = Failure(error, doing, place or self.place, self.endpoint, self.token)
        logger.debug("%s: %s: %s", failure.start, type(error).__name__, failure.said)
        return explain(failure)

    def head(self) -> str:
        """The commit hash of the branch."""
        info = self.ask(lambda: self.api.repo_info(**self.repo, revision=self.place.branch), "read")
        return str(info.sha)

    def entries(
        self, paths: Iterable[str], revision: str | None = None, *, last_commit: bool = False
    ) -> dict[str, Entry]:
        """Those of the paths that exist, by path; a thousand a request."""
        wanted = sorted(set(paths))
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

    def _page(self, paths: list[str], revision: str, last_commit: bool) -> list[Entry]:
        logger.debug("asking for %d paths of %s at %s", len(paths), self.place.url, revision)
        listing = self.ask(
            lambda: self.api.get_paths_info(**self.repo, paths=paths, revision=revision, expand=last_commit),
            "read",
            self.place.at(revision),
        )
        return [Entry.from_listing(item) for item in listing]

    def tree(self, path: str, revision: str | None = None, *, recursive: bool = False) -> list[Entry]:
        """Everything below a folder, or nothing where there is no such folder."""
        revision = revision or self.place.branch

        def question() -> list[Entry]:
            listing = self.api.list_repo_tree(
                **self.repo, path_in_repo=path or None, recursive=recursive, revision=revision
            )
            try:
                return [Entry.from_listing(item) for item in listing]
            except RemoteEntryNotFoundError:
                return []

        return self.ask(question, "list", self.place.at(revision))

    def make_repository(self) -> None:
        """Make the repository, if the remote's options say so."""
        private = self.create == "private"
        logger.info("Creating %s repository %s", self.create, self.place.url)
        kind: dict[str, Any] = {"space_sdk": "static"} if self.place.repo_type == "space" else {}
        self.ask(lambda: self.api.create_repo(**self.repo, private=private, exist_ok=True, **kind), "create")

    def exists(self) -> bool:
        """Whether the repository is there for this user."""
        try:
            retried(lambda: self.api.repo_info(**self.repo), f"read {self.place.url}")
        except RepositoryNotFoundError:
            return False
        except Exception as error:  # noqa: BLE001 - as above
            raise self.explained(error, "read") from None
        return True
