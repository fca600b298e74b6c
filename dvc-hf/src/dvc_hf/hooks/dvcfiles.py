"""What a push writes into ``.dvc`` files: versions of what is on the Hub, and of nothing else."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dvc_hf.commit.repository import Repository
from dvc_hf.hooks.transfer import is_hub
from dvc_hf.hub.location import parse_path

Key = tuple[str, ...]
File = tuple[Key, Any, Any]  # where it is in the workspace, its meta, its hash


def merge_push_meta(original: Callable[..., Any], out: Any, index: Any, remote: str | None = None) -> None:
    """Merge versions into a ``.dvc`` file; a file that was not pushed this time keeps what is said of it.

    DVC looks at what is under the file's name by now. Where the push failed that is an older content, and its
    version beside the new md5 would let every later push take the new content for pushed.
    """
    there = out.repo.cloud.get_remote(remote)
    if is_hub(there.fs):
        hub = there.fs.open_repository(there.path)
        files = _files(out)
        _forget((meta for _, meta, _ in files), hub.lost)
        paths = {key: parse_path(there.fs.join(there.path, *key)).path_in_repo for key, _, _ in files}
        _keep(files, index, _unpushed(files, paths, index, hub, out.cache))
        if out.isdir() and index.get(out.index_key[1]) is None:
            index.add(_entry(out.index_key[1], _meta(isdir=True), None))
    original(out, index, remote)


def _files(out: Any) -> list[File]:
    """Those of an output; DVC makes another listing from the ``.dvc`` file each time that it asks."""
    top = out.index_key[1]
    if not out.isdir():
        return [(top, out.meta, out.hash_info)]
    out.obj = out.get_obj()
    return [((*top, *key), meta, hash_info) for key, meta, hash_info in out.obj]


def _forget(metas: Iterable[Any], lost: set[str]) -> None:
    """Take out versions that the Hub has lost: DVC would keep them in the ``.dvc`` file."""
    for meta in metas:
        if meta and meta.version_id in lost:
            meta.version_id = None


def _unpushed(files: list[File], paths: dict[Key, str], index: Any, hub: Repository, cache: Any) -> set[Key]:
    """Files of which the Hub shows none, or another content than the workspace's."""
    missing = {key for key, _, _ in files if index.get(key) is None}
    new = {key: info for key, meta, info in files if key not in missing and not (meta and meta.version_id)}
    ours = {path: etag for path, (_, etag) in hub.batch.commits.items()}
    doubtful = {key: info for key, info in new.items() if ours.get(paths[key]) != index.get(key).meta.etag}
    shown = hub.entries(paths[key] for key in doubtful)
    return missing | {
        key for key, info in doubtful.items() if not _is_content(shown.get(paths[key]), info, hub, cache)
    }


def _is_content(entry: Any, info: Any, hub: Repository, cache: Any) -> bool:
    """Whether what is on the Hub is the content of this hash."""
    local = Path(cache.oid_to_path(info.value))
    if entry is None or not local.is_file() or local.stat().st_size != entry.size:
        return False
    return bool(hub.client.digest(local, entry) == entry.etag)


def _keep(files: list[File], index: Any, unpushed: set[Key]) -> None:
    for key, meta, info in files:
        if key in unpushed:
            index.add(_entry(key, meta or _meta(), info))


def _entry(key: Key, meta: Any, info: Any) -> Any:
    from dvc_data.index import DataIndexEntry

    return DataIndexEntry(key=key, meta=meta, hash_info=info)


def _meta(**said: Any) -> Any:
    from dvc_data.hashfile.meta import Meta

    return Meta(**said)
