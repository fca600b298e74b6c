"""One file from a Hub into huggingface_hub's cache: resumed, judged by digest, whole or not at all."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.file_download import HfFileMetadata
from huggingface_hub.utils import build_hf_headers

from beats_trainer.answer import open_answer
from beats_trainer.cachelock import locked
from beats_trainer.digest import mismatch, strongest
from beats_trainer.errors import DigestMismatchError, FetchError
from beats_trainer.hubcache import cache_root, link_blob, remember_commit, repo_folder
from beats_trainer.huberror import HUB_ERRORS, CutShortError, translate
from beats_trainer.partial import Partial
from beats_trainer.patience import patiently
from beats_trainer.pinfile import Pin
from beats_trainer.place import Place

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
SHA256 = re.compile(r"[0-9a-f]{64}")


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
            metadata = patiently(self._metadata, self.pin.name)
            self._compare_announced(metadata)
            return self._bring(metadata)
        except FetchError:
            raise
        except HUB_ERRORS as error:
            raise translate(error, self.place, self.pin.name) from error

    def _metadata(self) -> HfFileMetadata:
        if constants.HF_HUB_OFFLINE:
            message = "HF_HUB_OFFLINE is set"
            raise OfflineModeIsEnabled(message)
        metadata = get_hf_file_metadata(self._url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        if metadata.etag is None or metadata.commit_hash is None:
            message = (
                f"cannot fetch {self.pin.name}: the answer of {self._url} has no ETag or no X-Repo-Commit: "
                "this is no Hub, or a proxy took them away. Check HF_ENDPOINT and HTTPS_PROXY."
            )
            raise FetchError(message)
        return metadata

    @property
    def _url(self) -> str:
        place = self.place
        return hf_hub_url(
            place.repo_id,
            place.path,
            repo_type=place.repo_type,
            revision=place.revision,
            endpoint=place.endpoint or None,
        )

    def _compare_announced(self, metadata: HfFileMetadata) -> None:
        """Refuses a wrong file before its first byte, where the Hub says what it has."""
        pin, wanted, etag = self.pin, self.pin.digests.get("sha256"), str(metadata.etag)
        if wanted and SHA256.fullmatch(etag) and etag != wanted:
            raise mismatch(pin.name, f"sha256 {wanted}", f"sha256 {etag}", str(self.place))
        if pin.size is not None and metadata.size is not None and metadata.size != pin.size:
            raise mismatch(pin.name, f"{pin.size:,} bytes", f"{metadata.size:,} bytes", str(self.place))

    def _bring(self, metadata: HfFileMetadata) -> Path:
        """Puts the bytes among the cache's blobs, under the lock that huggingface_hub itself takes."""
        folder, commit = repo_folder(self.place, self.cache_dir), str(metadata.commit_hash)
        snapshot = folder / "snapshots" / commit / self.place.path
        blob = folder / "blobs" / str(metadata.etag)
        lock = cache_root(self.cache_dir) / ".locks" / folder.name / f"{metadata.etag}.lock"
        for path in (snapshot, blob, lock):
            path.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock):
            if not snapshot.exists():
                if not blob.exists():
                    self._download(metadata, blob)
                link_blob(blob, snapshot)
        remember_commit(self.place, commit, self.cache_dir)
        return snapshot

    def _download(self, metadata: HfFileMetadata, blob: Path) -> None:
        algorithm, value = self._wanted(metadata)
        partial = Partial(blob, algorithm)
        try:
            resumed = partial.size
            self._fill(metadata, partial)
            if value and partial.digest != value and (resumed or partial.answers > 1):
                logger.warning("%s: what arrived earlier is damaged; starting anew", self.pin.name)
                partial.restart()
                self._fill(metadata, partial)
            self._judge(partial, algorithm, value)
            partial.finish()
        except DigestMismatchError:
            partial.discard()
            raise
        except BaseException:
            partial.keep()
            raise

    def _judge(self, partial: Partial, algorithm: str, value: str) -> None:
        if value and partial.digest != value:
            got = f"{algorithm} {partial.digest} ({partial.size:,} bytes)"
            raise mismatch(self.pin.name, f"{algorithm} {value}", got, str(self.place))

    def _wanted(self, metadata: HfFileMetadata) -> tuple[str, str]:
        """The digest of the pin, or the Hub's own where no pin has one."""
        etag = str(metadata.etag)
        announced = {"sha256": etag} if SHA256.fullmatch(etag) else {}
        return strongest(self.pin.digests) or strongest(announced) or ("sha256", "")

    def _fill(self, metadata: HfFileMetadata, partial: Partial) -> None:
        patiently(lambda: self._stream(metadata, partial), self.pin.name, lambda: partial.size)

    def _stream(self, metadata: HfFileMetadata, partial: Partial) -> None:
        """Appends what is missing; what an answer brings before it breaks stays."""
        total = metadata.size
        if total is not None and partial.size > total:
            partial.restart()
        if total is not None and partial.size == total:
            return
        with open_answer(metadata.location or self._url, self._headers(metadata, partial.size)) as answer:
            if answer.status != 206 and partial.size:
                partial.restart()
            partial.answers += 1
            for block in answer.blocks:
                partial.write(block)
                if self.progress:
                    self.progress(partial.size, total)
        if total is not None and partial.size < total:
            message = f"the answer ended after {partial.size:,} of {total:,} bytes"
            raise CutShortError(message)

    def _headers(self, metadata: HfFileMetadata, start: int) -> dict[str, str]:
        """The token goes to the Hub only, never to a host that it redirects to."""
        same_host = urlsplit(metadata.location or self._url).netloc == urlsplit(self._url).netloc
        headers = dict(build_hf_headers(token=None if same_host else False, library_name="beats-trainer"))
        headers["Accept-Encoding"] = "identity"
        if start:
            logger.info("%s: going on at byte %d", self.pin.name, start)
            headers["Range"] = f"bytes={start}-"
        return headers
