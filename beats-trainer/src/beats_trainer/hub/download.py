"""One file from a Hub into huggingface_hub's cache: resumed, judged by digest, whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled

from beats_trainer.errors import DigestMismatchError, FetchError
from beats_trainer.hub.announcement import Announcement, ask_for, size_in
from beats_trainer.hub.cache import (
    cache_root,
    filed_digests,
    link_blob,
    note_digest,
    remember_commit,
    repo_folder,
)
from beats_trainer.hub.credential import headers_for, is_known
from beats_trainer.hub.errors import HUB_ERRORS, CutShortError, ExpiredError, status_of, translate_error
from beats_trainer.hub.lock import cache_lock
from beats_trainer.hub.partial_file import Partial
from beats_trainer.hub.response import Answer, for_origin, open_answer
from beats_trainer.hub.retry import with_patience
from beats_trainer.pins.address import Place
from beats_trainer.pins.digest import digest_mismatch, file_digest, is_file_of, strongest_digest
from beats_trainer.pins.origin import origin_of
from beats_trainer.pins.pin import Pin

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
EXPIRED = {401, 403, 404, 410}  # what stores answer to a signature whose time is over
LARGEST_UNANNOUNCED = 10_000_000  # bytes of a file whose size nobody says


@dataclass(frozen=True)
class Transfer:
    """What is fetched, from where, into which cache.

    Args:
        progress: Is called with the bytes that are there, and the size where it is known.
    """

    pin: Pin
    place: Place
    cache_dir: Path | None = None
    progress: Progress | None = None

    def run(self) -> Path:
        """Fetches the file and returns its path in the cache; its digest is that of the pin.

        Raises:
            DigestMismatchError: The place holds other bytes.
            AccessError: The Hub does not let this token read it.
            FetchError: Anything else that went wrong on the way.
        """
        try:
            announced = with_patience(self._announced, self.pin.name)
            self._compare(announced)
            return self._bring(announced)
        except FetchError:
            raise
        except HUB_ERRORS as error:
            raise translate_error(error, self.place, self.pin.name) from error

    def _announced(self) -> Announcement:
        if constants.HF_HUB_OFFLINE:
            message = "HF_HUB_OFFLINE is set"
            raise OfflineModeIsEnabled(message)
        return ask_for(self.place)

    def _compare(self, announced: Announcement) -> None:
        """Refuses a wrong file before its first byte, where the Hub says what it has."""
        pin, wanted, got = self.pin, self.pin.digests.get("sha256"), announced.digests.get("sha256")
        if wanted and got and got != wanted:
            raise digest_mismatch(pin.name, f"sha256 {wanted}", f"sha256 {got}", str(self.place))
        if pin.size is not None and announced.size is not None and announced.size != pin.size:
            raise digest_mismatch(
                pin.name, f"{pin.size:,} bytes", f"{announced.size:,} bytes", str(self.place)
            )

    def _bring(self, announced: Announcement) -> Path:
        """Puts the bytes among the cache's blobs, under the lock that huggingface_hub itself takes."""
        folder, commit, etag = repo_folder(self.place, self.cache_dir), announced.commit, announced.etag
        snapshot = folder / "snapshots" / commit / self.place.path
        blob = folder / "blobs" / etag
        lock = cache_root(self.cache_dir) / ".locks" / folder.name / f"{etag}.lock"
        for path in (snapshot, blob, lock):
            path.parent.mkdir(parents=True, exist_ok=True)
        with cache_lock(lock, blob):
            if not self._stands(snapshot, folder, announced):
                self._ensure(blob, announced)
                link_blob(blob, snapshot)
            self._note(snapshot, folder, announced)
        remember_commit(self.place, commit, self.cache_dir)
        return snapshot

    def _stands(self, snapshot: Path, folder: Path, announced: Announcement) -> bool:
        """Whether the file that the Hub announces is here already.

        Another one under its name gives way if it is damaged, or to the Hub that the user has named: any
        other address may claim what it likes about a commit.
        """
        if not snapshot.is_file():
            return False
        wanted = announced.digests or self.pin.digests
        if is_file_of(snapshot, self.pin.size, wanted) if wanted else _has_size(snapshot, announced):
            return True
        filed = filed_digests(snapshot, folder)
        intact = not filed or is_file_of(snapshot, None, filed)
        if intact and not is_known(self.place):
            raise self._taken(snapshot)
        logger.warning("%s: the cached file %s is damaged and is replaced", self.pin.name, snapshot)
        return False

    def _taken(self, snapshot: Path) -> DigestMismatchError:
        message = (
            f"{snapshot} is not {self.pin.name}: the cache holds another file under this commit and name, "
            f"expected what {self.place} has. It was left as it is. Set HF_HUB_CACHE to another folder; if "
            "the pin is yours, remove that file."
        )
        return DigestMismatchError(message)

    def _note(self, snapshot: Path, folder: Path, announced: Announcement) -> None:
        """Keeps the digest of a file that no link tells: offline nobody could say it."""
        if not snapshot.is_symlink() and not filed_digests(snapshot, folder):
            known = self.pin.digests.get("sha256") or announced.digests.get("sha256")
            note_digest(snapshot, folder, known or file_digest(snapshot, "sha256"))

    def _ensure(self, blob: Path, announced: Announcement) -> None:
        """Has the blob here; one that is not what its name says is damaged, and is brought anew."""
        if blob.is_file() and announced.digests and not is_file_of(blob, None, announced.digests):
            logger.warning("%s: the cached file %s is damaged and is removed", self.pin.name, blob)
            blob.unlink()
        if not blob.exists():
            self._download(announced, blob)

    def _download(self, announced: Announcement, blob: Path) -> None:
        algorithm, value = self._wanted(announced)
        partial = Partial(blob, algorithm)
        try:
            resumed = partial.size > 0
            try:
                self._fill(announced, partial, value)
            except DigestMismatchError:
                if not (resumed or partial.answers > 1):
                    raise
                logger.warning("%s: what arrived earlier is damaged; starting anew", self.pin.name)
                partial.restart()
                self._fill(announced, partial, value)
            partial.finish()
        except DigestMismatchError:
            partial.discard()
            raise
        except BaseException:
            partial.keep()
            raise

    def _wanted(self, announced: Announcement) -> tuple[str, str]:
        """The digest of the pin, or the Hub's own where no pin has one."""
        large = {name: value for name, value in announced.digests.items() if name == "sha256"}
        return strongest_digest(self.pin.digests) or strongest_digest(large) or ("sha256", "")

    def _fill(self, announced: Announcement, partial: Partial, value: str) -> None:
        source = [announced]
        with_patience(lambda: self._go_on(source, partial), self.pin.name, lambda: partial.size)
        if value and partial.digest != value:
            got = f"{partial.algorithm} {partial.digest} ({partial.size:,} bytes)"
            raise digest_mismatch(self.pin.name, f"{partial.algorithm} {value}", got, str(self.place))

    def _go_on(self, source: list[Announcement], partial: Partial) -> None:
        """Appends what is missing; a signed address that has expired gives way to a new one of the same file.

        Args:
            source: What was announced, and after it what has replaced it.
            partial: What has arrived.
        """
        if not source[-1].location:
            source.append(replace(source[-1], location=self._announced_again(source[-1]).location))
        try:
            self._stream(source[-1], partial)
        except HUB_ERRORS as error:
            if status_of(error) not in EXPIRED or not source[-1].leaves:
                raise
            source.append(replace(source[-1], location=""))
            message = f"{origin_of(source[0].location)} answered with status {status_of(error)}"
            raise ExpiredError(message) from error

    def _announced_again(self, before: Announcement) -> Announcement:
        """What the Hub says now, which must be the same file."""
        again = self._announced()
        if (again.etag, again.commit) != (before.etag, before.commit):
            message = (
                f"cannot fetch {self.pin.name}: {self.place} has changed while it was fetched (from "
                f"{before.etag} to {again.etag}). Fetch it again."
            )
            raise FetchError(message)
        return again

    def _stream(self, announced: Announcement, partial: Partial) -> None:
        """Appends what is missing; what an answer brings before it breaks stays."""
        total = announced.size if self.pin.size is None else self.pin.size
        if total is not None and partial.size > total:
            partial.restart()
        if total is not None and partial.size == total:
            return
        with open_answer(announced.location, self._headers(announced, partial.size)) as answer:
            if answer.status != 206 and partial.size:
                partial.restart()
            partial.answers += 1
            self._append(answer, partial, total)
        if total is not None and partial.size < total:
            message = f"the answer ended after {partial.size:,} of {total:,} bytes"
            raise CutShortError(message)

    def _append(self, answer: Answer, partial: Partial, total: int | None) -> None:
        """Takes the body, and not a byte more than was announced."""
        most = total if total is not None else _announced_by(answer, partial.size)
        for block in answer.blocks:
            if partial.size + len(block) > most:
                got = f"{partial.size + len(block):,} and more"
                raise digest_mismatch(self.pin.name, f"{most:,} bytes", got, str(self.place))
            partial.write(block)
            if self.progress:
                self.progress(partial.size, total)

    def _headers(self, announced: Announcement, start: int) -> dict[str, str]:
        """The token goes to the Hub only, never to a host that it redirects to."""
        headers = for_origin(headers_for(self.place), announced.url, announced.location)
        if start:
            logger.info("%s: going on at byte %d", self.pin.name, start)
            headers["Range"] = f"bytes={start}-"
        return headers


def _announced_by(answer: Answer, start: int) -> int:
    """Where the body ends of which the head said no size."""
    rest = size_in(answer.headers.get("Content-Length"))
    return LARGEST_UNANNOUNCED if rest is None else start + rest


def _has_size(path: Path, announced: Announcement) -> bool:
    return announced.size is None or path.stat().st_size == announced.size
