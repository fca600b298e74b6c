"""One git repository of the Hub: models, datasets, spaces."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from huggingface_hub import hf_hub_url
from huggingface_hub.errors import RemoteEntryNotFoundError
from huggingface_hub.utils import get_session, hf_raise_for_status
from huggingface_hub.utils._xet import XetTokenType, xet_connection_info_refresh_url

from dvc_hf.hub import preupload
from dvc_hf.hub.changes import Entry, Upload, Uploaded, commit_hash, git_oid
from dvc_hf.hub.client import WRITTEN_WITHIN_S, Client
from dvc_hf.hub.promises import Digest
from dvc_hf.log import logger

READ_SIZE = 1024 * 1024


class RepoClient(Client):
    """One repository at one branch: what is written is a commit."""

    MOST_CHANGES: ClassVar[int] = 20_000
    IS_ATOMIC: ClassVar[bool] = True

    @property
    def _repo(self) -> dict[str, Any]:
        return {"repo_id": self.place.repo_id, "repo_type": self.place.repo_type}

    def head(self) -> str:
        """The commit hash of the branch."""
        info = self.ask(lambda: self.api.repo_info(**self._repo, revision=self.place.branch), "read")
        return commit_hash(info.sha)

    def tree(self, path: str, revision: str | None = None, *, recursive: bool = False) -> list[Entry]:
        """Everything below a folder, or nothing where there is no such folder."""
        revision = revision or self.place.branch

        def question() -> list[Entry]:
            listing = self.api.list_repo_tree(
                **self._repo, path_in_repo=path or None, recursive=recursive, revision=revision
            )
            try:
                return [_entry(item) for item in listing]
            except RemoteEntryNotFoundError:
                return []

        return self.ask(question, "list", self.place.at(revision))

    def folder(self, path: str) -> Entry | None:  # noqa: ARG002
        """Nothing: a repository's entries show its folders too."""
        return None

    def send(self, group: Sequence[Upload], jobs: int) -> Iterator[Uploaded | Exception]:
        """Send large files to the store; small ones wait for the commit."""
        return preupload.send_ahead(self.api, self.place, group, jobs)

    def inline(self, upload: Upload) -> Uploaded:
        """Keep a small file's content for the commit, which carries it."""
        content = upload.bytes()
        return Uploaded(upload.path, len(content), git_oid(content), is_large=False, content=content)

    def write(
        self, added: Sequence[Uploaded], removed: Iterable[str], message: str, parent: str | None = None
    ) -> str:
        """Make one commit; the Hub refuses it with 412 where the branch is no longer at the parent."""
        place = self.place
        url = f"{self.endpoint}/api/{place.repo_type}s/{place.repo_id}/commit/{quote(place.branch, safe='')}"
        lines = _lines(added, removed, message, parent)
        response = get_session().post(
            url,
            headers={**self.headers, "Content-Type": "application/x-ndjson"},
            content=b"".join(json.dumps(line).encode() + b"\n" for line in lines),
            timeout=WRITTEN_WITHIN_S,
        )
        hf_raise_for_status(response, endpoint_name="commit")
        answer = response.json()
        return commit_hash(answer.get("commitOid") if isinstance(answer, dict) else answer)

    def content_url(self, path: str, revision: str) -> str:
        """Where a file's content is read over HTTP."""
        return hf_hub_url(**self._repo, filename=path, revision=revision, endpoint=self.endpoint)

    def xet_route(self, revision: str) -> str:
        """Where a token is had that reads files out of the Xet store."""
        return xet_connection_info_refresh_url(
            token_type=XetTokenType.READ, **self._repo, revision=revision, endpoint=self.endpoint
        )

    def digester(self, entry: Entry) -> Digest:
        """The sha256 of a large file, git's sha1 of a small one."""
        if entry.is_large:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % entry.size, usedforsecurity=False)

    def digest(self, path: Path, entry: Entry) -> str:
        """The etag of a local file, if it is the file of this entry."""
        state = self.digester(entry)
        with path.open("rb") as file:
            while block := file.read(READ_SIZE):
                state.update(block)
        return state.hexdigest()

    def _page(self, paths: list[str], revision: str, last_commit: bool) -> list[Entry]:
        logger.debug("asking for %d paths of %s at %s", len(paths), self.place.url, revision)
        listing = self.ask(
            lambda: self.api.get_paths_info(**self._repo, paths=paths, revision=revision, expand=last_commit),
            "read",
            self.place.at(revision),
        )
        return [_entry(item) for item in listing]

    def _look(self) -> object:
        return self.api.repo_info(**self._repo)

    def _make(self, *, is_private: bool) -> object:
        kind: dict[str, Any] = {"space_sdk": "static"} if self.place.repo_type == "space" else {}
        return self.api.create_repo(**self._repo, private=is_private, exist_ok=True, **kind)


def _entry(item: Any) -> Entry:
    """Read one item of a listing."""
    last = getattr(item, "last_commit", None)
    commit = getattr(last, "oid", None)
    if not hasattr(item, "blob_id"):
        return Entry(item.path, is_folder=True, last_commit=commit)
    etag = item.lfs.sha256 if item.lfs else item.blob_id
    size = item.lfs.size if item.lfs else item.size
    return Entry(item.path, size, etag, bool(item.lfs), False, item.xet_hash, commit)


def _lines(
    added: Iterable[Uploaded], removed: Iterable[str], message: str, parent: str | None
) -> Iterator[dict[str, Any]]:
    """A commit as the Hub reads it, a line for each change."""
    on = {"parentCommit": parent} if parent else {}
    header = {"key": "header", "value": {"summary": message, "description": "", **on}}
    deletions = ({"key": "deletedFile", "value": {"path": path}} for path in sorted(removed))
    return chain([header], deletions, map(_addition, added))


def _addition(item: Uploaded) -> dict[str, Any]:
    if item.is_large:
        large = {"path": item.path, "algo": "sha256", "oid": item.etag, "size": item.size}
        return {"key": "lfsFile", "value": large}
    content = b64encode(item.bytes()).decode()
    return {"key": "file", "value": {"content": content, "path": item.path, "encoding": "base64"}}
