"""What this process knows of one branch of one repository: its client and its next commit."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dvc_hf.commit.batch import Batch
from dvc_hf.commit.transaction import transaction
from dvc_hf.hub.bucket import BucketClient
from dvc_hf.hub.changes import Entry, Upload, Uploaded
from dvc_hf.hub.client import Client
from dvc_hf.hub.credentials import LOGIN, Credential
from dvc_hf.hub.errors import raise_first
from dvc_hf.hub.location import Location, is_commit
from dvc_hf.hub.repo import RepoClient
from dvc_hf.hub.uploads import upload_files


@dataclass(frozen=True)
class Account:
    """Where a remote's repositories are, and who asks."""

    endpoint: str | None = None
    credential: Credential = LOGIN
    create: str | None = None
    commit_message: str | None = None


class Repository:
    """One branch: listings with what is staged laid over them, uploads that end in one commit."""

    def __init__(self, place: Location, account: Account) -> None:
        self.place = place
        kind = BucketClient if place.repo_type == "bucket" else RepoClient
        self.client: Client = kind(
            place, endpoint=account.endpoint, credential=account.credential, create=account.create
        )
        self.batch = Batch(self.client, account.commit_message)
        self.lost: set[str] = set()  # commits that .dvc files name and that are there no more
        self._known: dict[tuple[str, bool], dict[str, Entry | None]] = {}
        self._listings: dict[str, bytes] = {}
        self._inside = 0
        self._turn = 0
        self._failed: dict[str, Exception] = {}
        self._door = threading.Condition()

    @property
    def _own_commit(self) -> str | None:
        """The commit that a push has made, until it ends: the branch may be read as it was for a while.

        Later and elsewhere the branch is read by its name, since others commit too.
        """
        return self.batch.latest if transaction.depth else None

    # reading -------------------------------------------------------------------------------------

    def entries(
        self, paths: Iterable[str], revision: str | None = None, *, last_commit: bool = False
    ) -> dict[str, Entry]:
        """Those of the paths that exist, files that are staged included."""
        wanted = set(paths)
        found = {} if revision else self._staged(wanted)
        removed: set[str] = set() if revision else self.batch.removed
        unknown = wanted - found.keys() - removed
        seen = revision or self._own_commit
        if is_commit(seen):
            found.update(self._remembered(unknown, str(seen), last_commit))
        elif unknown:
            found.update(self.client.entries(unknown, seen, last_commit=last_commit))
        return found

    def _remembered(self, paths: set[str], revision: str, last_commit: bool) -> dict[str, Entry]:
        """Entries at a commit never change, so each is asked for once."""
        known = self._known.setdefault((revision, last_commit), {})
        unknown = paths - known.keys()
        if unknown:
            known.update(dict.fromkeys(unknown))
            known.update(self.client.entries(unknown, revision, last_commit=last_commit))
        return {path: entry for path in paths if (entry := known[path]) is not None}

    def _staged(self, paths: set[str]) -> dict[str, Entry]:
        added = self.batch.added
        return {path: _entry(added[path]) for path in paths & added.keys()}

    def tree(self, path: str, revision: str | None = None, *, recursive: bool = False) -> list[Entry]:
        """Everything below a folder, files that are staged included."""
        if transaction.objects_only:
            self.fix_parent()
        listed = self.client.tree(path, revision or self._own_commit, recursive=recursive)
        if revision or not self.batch:
            return listed
        prefix = f"{path}/" if path else ""
        there = {entry.path: entry for entry in listed if entry.path not in self.batch.removed}
        for staged in list(self.batch.added.values()):
            if staged.path.startswith(prefix):
                there.update(_with_parents(staged, prefix, recursive))
        return list(there.values())

    def folder(self, path: str) -> Entry | None:
        """A folder that `entries` does not show: of a bucket, or of staged files alone."""
        if any(name.startswith(f"{path}/") for name in list(self.batch.added)):
            return Entry(path, is_folder=True)
        return self.client.folder(path)

    def listing(self, path: str, read: Callable[[], bytes]) -> bytes:
        """A directory's listing: DVC reads it many times, and its name says its content."""
        if path not in self._listings:
            self._listings[path] = read()
        return self._listings[path]

    # writing -------------------------------------------------------------------------------------

    def put(self, uploads: Sequence[Upload], jobs: int) -> dict[str, Exception]:
        """Upload, and commit unless a transaction is held; what failed is in the answer."""
        with self._door:
            self._inside += 1
        failed: dict[str, Exception] = {}
        try:
            for item, outcome in upload_files(self.client, uploads, jobs):
                if isinstance(outcome, Uploaded):
                    self.batch.add(outcome)
                else:
                    failed[item.path] = outcome
        finally:
            failed.update(self._leave())
        paths = {item.path for item in uploads}
        return {path: error for path, error in failed.items() if path in paths}

    def link(self, entry: Entry, path: str) -> None:
        """Give a large file's content one more path; no byte is sent."""
        self.batch.add(Uploaded(path, entry.size, entry.etag, is_large=True, is_copy=True))
        if not transaction.depth:
            raise_first(self.batch.commit())

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files, and commit unless a transaction is held."""
        for path in filter(transaction.deletable, paths):
            self._listings.pop(path, None)
            self.batch.remove(path)
        if not transaction.depth:
            raise_first(self.batch.commit())

    def fix_parent(self) -> None:
        """Let what is held be committed on the present commit alone."""
        self.batch.parent = self.batch.parent or self.client.head() or None

    def _leave(self) -> dict[str, Exception]:
        """Of the threads that are uploading, the last one out commits for all of them."""
        with self._door:
            self._inside -= 1
            if transaction.depth:
                return {}
            turn = self._turn
            if self._inside == 0:
                self._failed = self.batch.commit()
                self._turn += 1
                self._door.notify_all()
            while self._turn == turn:
                self._door.wait()
            return self._failed


def _entry(staged: Uploaded) -> Entry:
    return Entry(staged.path, staged.size, staged.etag, staged.is_large)


def _with_parents(staged: Uploaded, prefix: str, recursive: bool) -> dict[str, Entry]:
    """A staged file and the folders above it, as a listing of the prefix would show them."""
    parts = staged.path.removeprefix(prefix).split("/")
    folders = [prefix + "/".join(parts[:depth]) for depth in range(1, len(parts))]
    shown = folders if recursive else folders[:1]
    entries = {folder: Entry(folder, is_folder=True) for folder in shown}
    if recursive or len(parts) == 1:
        entries[staged.path] = _entry(staged)
    return entries


_open: dict[tuple[Location, Account], Repository] = {}
_opening = threading.Lock()


def shared_repository(place: Location, account: Account) -> Repository:
    """The process's one object for this branch: DVC makes many filesystems for one remote."""
    key = (place.root, account)
    with _opening:
        if key not in _open:
            _open[key] = Repository(place.root, account)
            transaction.batches.append(_open[key].batch)
        return _open[key]
