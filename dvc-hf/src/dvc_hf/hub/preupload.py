"""Sends one group of a repository's files with huggingface_hub: the Hub says which go to its LFS store."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from huggingface_hub import CommitOperationAdd, HfApi

from dvc_hf.hub.changes import Progress, Upload, Uploaded, git_oid
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.kinds import BINARY, LARGEST_TEXT, binary_part, is_object, is_text
from dvc_hf.hub.location import Location


class _CountedAddition(CommitOperationAdd):
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


def send_ahead(
    api: HfApi, place: Location, group: Sequence[Upload], jobs: int
) -> Iterator[Uploaded | Exception]:
    """Ask which files travel through the store, and send those; a file that the Hub ignores is its error."""
    additions = [_addition(item) for item in group]
    api.preupload_lfs_files(
        place.repo_id,
        additions,
        repo_type=place.repo_type,
        revision=place.branch,
        num_threads=jobs,
        free_memory=False,
    )
    for item, addition in zip(group, additions, strict=True):
        if addition.progress and not addition.is_counted:
            addition.progress(addition.upload_info.size)  # Xet sends whole groups, and says so at the end
        yield _outcome(place, item, addition)


def _addition(item: Upload) -> _CountedAddition:
    content = item.content if isinstance(item.content, bytes) else os.fspath(item.content)
    addition = _CountedAddition(path_in_repo=item.path, path_or_fileobj=content)
    addition.progress = item.progress
    addition.upload_info.sample = _telling_sample(item, addition.upload_info)
    return addition


def _telling_sample(item: Upload, info: Any) -> bytes:
    """What the Hub is shown of a file to choose its store by: it looks at these bytes alone.

    It then refuses a commit whose text turns out to be binary further on, so that place is shown. An object
    is shown as binary: one rule of `.gitattributes` sends all of them to the store.
    """
    if is_object(item.path):
        return BINARY
    if is_text(info.sample) and info.size < LARGEST_TEXT:
        return binary_part(item.bytes()) or bytes(info.sample)
    return bytes(info.sample)


def _outcome(place: Location, item: Upload, addition: Any) -> Uploaded | Exception:
    """Read from huggingface_hub's operation what the Hub decided for this path."""
    if addition._should_ignore:  # noqa: SLF001
        return RejectedError(
            f"cannot push '{item.path}' to {place.url}: the repository's own .gitignore excludes it. "
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
