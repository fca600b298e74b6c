"""Sends the content of files ahead of the commit that names them, many files a request."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from huggingface_hub import CommitOperationAdd

from dvc_hf.client import Client
from dvc_hf.errors import RejectedError, is_transient
from dvc_hf.log import logger

FILES_PER_REQUEST = 256  # the Hub's own bound for one preupload
Progress = Callable[[int], Any]


@dataclass(frozen=True)
class Upload:
    """Content on its way to a path of the repository."""

    path: str
    content: Path | bytes
    progress: Progress | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Uploaded:
    """A path of the next commit, whose content the Hub has or will get inside the commit itself."""

    path: str
    size: int
    etag: str
    is_large: bool
    content: Path | bytes | None = None
    is_unchanged: bool = False
    rank: int = 0  # where a push needs several commits, higher ranks go into later ones

    def bytes(self) -> bytes:
        """The content that goes into the commit itself."""
        if isinstance(self.content, Path):
            return self.content.read_bytes()
        return self.content or b""

    def moved(self, path: str) -> "Uploaded":
        """The same content at another path."""
        return Uploaded(path, self.size, self.etag, self.is_large, self.content)


class _Counted(CommitOperationAdd):
    """An addition that tells how far its upload is."""

    progress: Progress | None = None
    is_counted = False

    @contextmanager
    def as_file(self, with_tqdm: bool = False) -> Iterator[BinaryIO]:
        with super().as_file() as file:
            if with_tqdm and self.progress:
                self.is_counted = True
                yield _CountedReader(file, self.progress)  # type: ignore[misc]
            else:
                yield file


class _CountedReader:
    """A file that reports what is read from it."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress(len(data))
        return data

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(1024 * 1024):
            yield data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def upload(
    client: Client, uploads: Sequence[Upload], jobs: int
) -> Iterator[tuple[Upload, Uploaded | Exception]]:
    """Send content; what failed comes back as its error, and does not stop the others."""
    for start in range(0, len(uploads), FILES_PER_REQUEST):
        yield from _upload_group(client, uploads[start : start + FILES_PER_REQUEST], jobs)


def _upload_group(
    client: Client, group: Sequence[Upload], jobs: int
) -> Iterator[tuple[Upload, Uploaded | Exception]]:
    try:
        results: list[Uploaded | Exception] = list(_send(client, group, jobs))
    except Exception as error:  # noqa: BLE001 - DVC counts what failed
        if len(group) > 1 and not is_transient(error) and _may_be_one_file(error):
            logger.debug("a group of %d uploads failed (%s): one by one", len(group), error)
            for single in group:
                yield from _upload_group(client, [single], jobs)
            return
        results = [client.explained(error, "push to")] * len(group)
    yield from zip(group, results, strict=True)


def _may_be_one_file(error: Exception) -> bool:
    """Whether the error may be of one file of the group, so that the others can be saved."""
    return isinstance(error, OSError | ValueError | RuntimeError)


def _send(client: Client, group: Sequence[Upload], jobs: int) -> Iterator[Uploaded | Exception]:
    additions = [_addition(item) for item in group]
    logger.debug("uploading %d files to %s", len(group), client.place.url)
    client.api.preupload_lfs_files(
        **client.repo, additions=additions, revision=client.place.branch, num_threads=jobs, free_memory=False
    )
    for item, addition in zip(group, additions, strict=True):
        if addition.progress and not addition.is_counted:
            addition.progress(addition.upload_info.size)  # Xet sends whole groups, and says so at the end
        yield _outcome(client, item, addition)


def _addition(item: Upload) -> _Counted:
    content = item.content if isinstance(item.content, bytes) else os.fspath(item.content)
    addition = _Counted(path_in_repo=item.path, path_or_fileobj=content)
    addition.progress = item.progress
    return addition


def _outcome(client: Client, item: Upload, addition: Any) -> Uploaded | Exception:
    """Read from huggingface_hub's operation what the Hub decided for this path."""
    if addition._should_ignore:  # noqa: SLF001
        return RejectedError(
            f"cannot push '{item.path}' to {client.place.url}: the repository's own .gitignore excludes it. "
            "Remove that line there, then push again."
        )
    size = addition.upload_info.size
    is_large = addition._upload_mode == "lfs"  # noqa: SLF001
    etag = addition.upload_info.sha256.hex() if is_large else git_oid(item.content)
    return Uploaded(
        addition.path_in_repo,
        size,
        etag,
        is_large,
        content=None if is_large else item.content,
        is_unchanged=addition._remote_oid == etag,  # noqa: SLF001
    )


def git_oid(content: Path | bytes) -> str:
    """The name that git gives to this content."""
    data = content.read_bytes() if isinstance(content, Path) else content
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
