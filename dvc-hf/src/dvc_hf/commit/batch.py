"""Many files being pushed at once -> few Hub commits (one, where size allows)."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain, islice, takewhile

from dvc_hf.commit import attributes
from dvc_hf.hub.changes import Entry, Upload, Uploaded
from dvc_hf.hub.client import Client
from dvc_hf.hub.errors import LostVersionError, RejectedError, is_transient, raise_first, status_of
from dvc_hf.hub.kinds import is_object
from dvc_hf.hub.retry import announce_wait, wait_s
from dvc_hf.log import logger

FIRST_CHANGES = 1000  # in the first commit; then what the Hub took in TARGET_S, in steps
FEWEST_CHANGES, STEP = 20, 4
MOST_BYTES = 100 * 1024 * 1024  # of small files, which travel inside the commit
REFUSED_SIZE = 413
REFUSED_PARENT = 412
TARGET_S = 40.0
UNSEEN_S = (1.0, 2.0, 4.0, 8.0, 8.0, 15.0, 15.0, 30.0)  # until all readers of the Hub see a commit
MOST_TURNS = 20  # of others, that come between reading and writing


class MovedError(Exception):
    """The branch is no longer at the commit that the changes were reckoned on."""

    def __init__(self, refusal: Exception) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class Batch:
    """What the next commit of one branch will change."""

    def __init__(self, client: Client, message: str | None = None) -> None:
        self.client = client
        self.message = message
        self.most_changes = min(FIRST_CHANGES, client.MOST_CHANGES)
        self.ceiling = client.MOST_CHANGES  # what the Hub refused is not tried again
        self.added: dict[str, Uploaded] = {}
        self.removed: set[str] = set()
        self.latest: str | None = None  # our last commit since the outermost hold began
        self.commits: dict[str, tuple[str, str]] = {}  # path -> the commit of ours that wrote it, the etag
        self.relied: set[str] = set()  # paths that the push found there, and promises with what it sends
        self.unsent: set[str] = set()  # paths that could not be sent, and are reported as failed
        self.parent: str | None = (
            None  # the commit that the changes were reckoned on, if only on that they hold
        )
        self.reckon: list[Callable[[], None]] = []  # stage anew what was reckoned on the parent
        self._is_ruled = False  # whether objects add no lines to `.gitattributes`
        self._lock = threading.RLock()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def add(self, uploaded: Uploaded) -> None:
        """Let the next commit write a path; identical content already there needs none."""
        with self._lock:
            was_removed = uploaded.path in self.removed
            self.removed.discard(uploaded.path)
            if uploaded.is_unchanged and not was_removed:
                self.added.pop(uploaded.path, None)
            else:
                self.added[uploaded.path] = uploaded

    def remove(self, path: str) -> None:
        """Let the next commit delete a path."""
        with self._lock:
            self.added.pop(path, None)
            self.removed.add(path)

    def move(self, source: str, target: str) -> bool:
        """Write a staged path under another name; False where it is not staged."""
        with self._lock:
            uploaded = self.added.pop(source, None)
            if uploaded is not None:
                self.add(uploaded.moved(target))
            return uploaded is not None

    def discard(self) -> None:
        """Forget what was staged; its content stays on the Hub, so a second push is quick."""
        with self._lock:
            self.added.clear()
            self.removed.clear()
            self.relied.clear()
            self.unsent.clear()
            self.reckon.clear()
            self.parent = None

    def commit(self) -> dict[str, Exception]:
        """Commit what is staged, and confirm it.

        Returns:
            The paths that the Hub does not show as staged afterwards, each with the reason.
        """
        failed: dict[str, Exception] = {}
        pending: list[Uploaded] = []
        removed: set[str] = set()
        promised = self.relied.copy()
        try:
            self._stage_rule()
            pending, removed = self._taken()
            if removed:
                removed &= set(self.client.entries(removed, self.parent))
            turns = 0
            while pending or removed:
                try:
                    pending, removed = self._commit_some(pending, removed, failed, promised)
                except MovedError as error:
                    turns += 1
                    pending, removed = self._reckoned_anew(pending, error, turns)
                if not self.client.IS_ATOMIC:
                    raise_first(failed)  # what comes later, a listing say, promises what came before
        except Exception as error:  # noqa: BLE001 - DVC counts what failed
            failed.update(dict.fromkeys(chain((item.path for item in pending), removed), error))
        if self._stage_rule in self.reckon:
            failed.pop(attributes.FILE, None)  # nobody's file: the next push brings the rule
        return failed

    def _taken(self) -> tuple[list[Uploaded], set[str]]:
        """What is staged, which is staged no longer."""
        with self._lock:
            pending, removed = sorted(self.added.values(), key=_order), set(self.removed)
            self.added.clear()
            self.removed.clear()
        return pending, removed

    def _stage_rule(self) -> None:
        """Let the commit that brings objects also bring the one rule that keeps `.gitattributes` short."""
        objects = [path for path, item in self.added.items() if item.is_large and is_object(path)]
        if not objects or not self.client.IS_ATOMIC or self._is_ruled:
            return
        seen = self.client.small_file(attributes.FILE, self.parent or self.client.place.branch)
        self._is_ruled = attributes.with_rule(seen, objects) == seen
        if self._is_ruled:
            return
        self.parent = self.parent or self.client.head()  # somebody else's change of the file must not be lost
        ruled = attributes.with_rule(self.client.small_file(attributes.FILE, self.parent), objects)
        if self._stage_rule not in self.reckon:
            self.reckon.append(self._stage_rule)
        self.add(replace(self.client.inline(Upload(attributes.FILE, ruled)), rank=-1))

    def _reckoned_anew(
        self, pending: list[Uploaded], error: MovedError, turns: int
    ) -> tuple[list[Uploaded], set[str]]:
        """What is left to commit, once what depends on the branch is staged on what it is now."""
        if turns > MOST_TURNS:
            raise self.client.explained(error.refusal, "push to") from None
        head = self._moved_head(error.refusal)
        with self._lock:
            self.parent, again = head, tuple(self.reckon)
            self.added = {item.path: item for item in pending if not item.rank}
            for stage in again:
                stage()
            return self._taken()

    def _moved_head(self, refusal: Exception) -> str:
        """The commit that came between; the Hub's readers learn of one after a while."""
        for pause in UNSEEN_S:
            head = self.client.head()
            if head != self.parent:
                return head
            announce_wait(refusal, f"commit to {self.client.place.url}", pause)
            time.sleep(pause)
        return self.client.head()

    def _commit_some(
        self,
        pending: list[Uploaded],
        removed: set[str],
        failed: dict[str, Exception],
        promised: set[str],
    ) -> tuple[list[Uploaded], set[str]]:
        """Make one commit of the first changes; what is left comes back.

        The last one is looked at with all that the push promises: a gc may have come between.
        """
        choose = _chunk if self.client.IS_ATOMIC else _phase
        chunk = choose(pending, self.most_changes)
        is_last = len(chunk) == len(pending)
        gone = removed if is_last else _in_the_way(removed, chunk)
        head = self._send(chunk, gone)
        if head is None:
            self.most_changes = self.ceiling = max(1, len(chunk) // 2)
            return pending, removed
        failed.update(self._unconfirmed(chunk, head, promised if is_last else set()))
        promised.update(item.path for item in chunk)
        return pending[len(chunk) :], removed - gone

    def _send(self, chunk: list[Uploaded], removed: set[str]) -> str | None:
        """Make one commit, sending it again where that is safe; None asks for smaller ones."""
        attempt, started = 0, time.monotonic()
        while True:
            try:
                message = self.message or _summary(chunk, removed)
                head = self.client.write(chunk, removed, message, self.parent)
            except Exception as error:
                if status_of(error) == REFUSED_SIZE and len(chunk) > 1:
                    return None
                if status_of(error) == REFUSED_PARENT and self.reckon:
                    raise MovedError(error) from error
                pause = wait_s(error, attempt)
                if pause is None:
                    raise self.client.explained(error, "push to") from None
                announce_wait(error, f"commit to {self.client.place.url}", pause)
                time.sleep(pause)
                landed = self._landed(chunk, removed)
                if landed is not None or (_took_too_long(error) and len(chunk) > 1):
                    return landed
                self._expect_unmoved(error)
                attempt += 1
            else:
                self._note(chunk, removed, head, time.monotonic() - started)
                return head

    def _expect_unmoved(self, error: Exception) -> None:
        """Stop where what is sent was reckoned on a state that is no more: what can be reckoned anew is."""
        head = self.parent and self.client.head()
        if head and head != self.parent:
            if self.reckon:
                raise MovedError(error) from error
            message = (
                f"cannot remove anything from {self.client.place.url}: someone committed to it meanwhile "
                f"(it is at {head[:7]}, and what is unused was reckoned at {str(self.parent)[:7]}). "
                "Nothing was removed from it. Run it again: it then takes into account what came."
            )
            raise RejectedError(message)

    def _landed(self, chunk: list[Uploaded], removed: set[str]) -> str | None:
        """The branch's commit hash, if it shows these changes although no answer came."""
        head = self.client.head()
        there = self.client.entries(chain((item.path for item in chunk), removed), head)
        if any(path in there for path in removed) or any(not _shows(there, item) for item in chunk):
            return None
        self._note(chunk, removed, head, 0.0)
        return head

    def _note(self, chunk: list[Uploaded], removed: set[str], head: str, seconds: float) -> None:
        self.latest = head or self.latest
        self.commits.update((item.path, (head, item.etag)) for item in chunk)
        for path in removed:
            self.commits.pop(path, None)
        if self.reckon:
            self.parent = head  # what comes in a further commit was reckoned on what is there now
        if seconds > TARGET_S or (seconds and len(chunk) >= self.most_changes):
            self.most_changes = min(_fitting(len(chunk), seconds), self.ceiling)
        done, at = ("Committed", f" ({head[:7]})") if head else ("Written", "")
        logger.info("%s to %s: %s%s", done, self.client.place.url, _summary(chunk, removed), at)

    def _unconfirmed(self, chunk: list[Uploaded], head: str, promised: set[str]) -> dict[str, Exception]:
        sent = {item.path: item for item in chunk}
        there = self._entries_at(head, chain(sent, promised))
        place = self.client.place
        where = f"commit {head[:7]}" if head else f"the {place.kind}"
        failed: dict[str, Exception] = {
            path: RejectedError(
                f"cannot confirm '{path}' in {place.url}: {where} should hold {item.size} bytes "
                f"with etag {item.etag}, and does not. Push again."
            )
            for path, item in sent.items()
            if not _shows(there, item)
        }
        gone = promised - sent.keys() - there.keys()
        if gone:
            error = RejectedError(
                f"cannot confirm '{min(gone)}' in {place.url}: {where} should hold it as it did when this "
                "push began, and does not: a gc removed it meanwhile. Push again."
            )
            failed.update(dict.fromkeys(gone, error))
        return failed

    def _entries_at(self, head: str, paths: Iterable[str]) -> dict[str, Entry]:
        """What a commit of ours shows; the Hub may not know it everywhere at once."""
        wanted = list(paths)
        for pause in UNSEEN_S:
            try:
                return self.client.entries(wanted, head)
            except LostVersionError:
                logger.debug("%s does not show commit %s yet", self.client.place.url, head[:7])
                time.sleep(pause)
        return self.client.entries(wanted, head)


def _shows(there: dict[str, Entry], item: Uploaded) -> bool:
    entry = there.get(item.path)
    return entry is not None and (entry.size, entry.etag) == (item.size, item.etag)


def _order(item: Uploaded) -> tuple[int, bool, str]:
    """Listings of directories go last: DVC takes one for the promise that its files are there."""
    return item.rank, _is_listing(item), item.path


def _fitting(changes: int, seconds: float) -> int:
    """How many changes the Hub would commit within the target, from how long it took for these."""
    fitting = int(changes * TARGET_S / seconds)
    return max(FEWEST_CHANGES, changes // STEP, min(fitting, changes * STEP))


def _chunk(pending: list[Uploaded], most_changes: int) -> list[Uploaded]:
    """As much as one commit may hold, at least one; a folder's listing does not take a commit of its own."""
    chunk: list[Uploaded] = []
    size = 0
    for item in pending:
        size += 0 if item.is_large else item.size
        count = sum(item.rank >= 0 for item in chunk)  # the rule for the objects comes with the first of them
        is_full = size > MOST_BYTES or (count >= most_changes and not _is_listing(item))
        if chunk and is_full:
            break
        chunk.append(item)
    return chunk


def _phase(pending: list[Uploaded], most_changes: int) -> list[Uploaded]:
    """As much as may be written at once where each file lands alone: nothing beside what it promises."""
    alike = takewhile(lambda item: _order(item)[:2] == _order(pending[0])[:2], pending)
    return list(islice(alike, most_changes))


def _in_the_way(removed: set[str], chunk: list[Uploaded]) -> set[str]:
    """What must go for a commit to hold its files: what was a folder is a file, or the other way round."""
    if not removed:
        return set()
    files = {item.path for item in chunk}
    folders = {folder for path in files for folder in _parents(path)}
    return {path for path in removed if path in folders or not files.isdisjoint(_parents(path))}


def _parents(path: str) -> list[str]:
    return [path[:end] for end, letter in enumerate(path) if letter == "/"]


def _is_listing(item: Uploaded) -> bool:
    return item.path.endswith(".dir")


def _took_too_long(error: Exception) -> bool:
    return status_of(error) == 504 or (is_transient(error) and "Timeout" in type(error).__name__)


def _summary(chunk: list[Uploaded], removed: set[str]) -> str:
    parts = []
    count = sum(item.rank >= 0 for item in chunk)  # the rule for the objects is nobody's file
    if count:
        parts.append(f"{count} file{'s' * (count != 1)} added")
    if removed:
        parts.append(f"{len(removed)} removed")
    return "DVC: " + ", ".join(parts)
