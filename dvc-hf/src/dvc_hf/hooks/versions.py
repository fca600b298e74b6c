"""Guards for DVC's version_aware and worktree modes, which lose data on any cloud without them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dvc_hf.commit.transaction import transaction
from dvc_hf.hooks.transfer import is_hub
from dvc_hf.hub.errors import LostVersionError
from dvc_hf.log import logger

Original = Callable[..., Any]
Key = tuple[str, ...]


def build(original: Original, path: str, fs: Any, *args: Any, **kwargs: Any) -> Any:
    """List what is there; a push compares etags, so it asks for no versions."""
    if not is_hub(fs):
        return original(path, fs, *args, **kwargs)
    with fs.fs.without_versions():
        return original(path, fs, *args, **kwargs)


def compare(original: Original, old: Any, new: Any, *args: Any, **kwargs: Any) -> Any:
    """Compare, and delete nothing that is overwritten or kept elsewhere."""
    diff = original(old, new, *args, **kwargs)
    data = old.storage_map[()].data
    if not is_hub(data.fs):
        return diff
    _note_absent(getattr(new, "absent", ()), old, data)
    written = {entry.key for entry in diff.files_create}
    diff.files_delete = [entry for entry in diff.files_delete if entry.key not in written]
    for entry in diff.dirs_delete:
        if entry.key in written:  # a file takes the place of a folder
            diff.files_delete += _files(old, entry.key).values()
    if data.fs.config.get("prune") and data.fs.config.get("worktree"):
        _prune(diff, old, new)
    return diff


def filter_missing(original: Original, index: Any) -> Any:
    """Leave out what is not in the cache; what is left out must be on the remote already."""
    cached = original(index)
    if is_hub(index.storage_map[()].data.fs):
        cached.absent = [entry for key, entry in index.items() if key not in cached]
    return cached


def _note_absent(entries: Iterable[Any], there: Any, data: Any) -> None:
    """Fail for files that are not in the cache, nor on the remote as their ``.dvc`` file says."""
    unknown = [entry for entry in entries if not (entry.meta and entry.meta.isdir)]
    unknown = [entry for entry in unknown if not _is_shown(entry, there)]
    kept = set(
        _existing([entry for entry in unknown if entry.meta and entry.meta.version_id], data.fs, data.path)
    )
    for entry in unknown:
        if entry.key not in kept:
            path = data.fs.unstrip_protocol(data.fs.join(data.path, *entry.key))
            transaction.absent.add(path)
            logger.error(
                "cannot push '%s': it is neither in DVC's cache nor on the remote. "
                "Push from a clone that has it, or track the file again with 'dvc add', then push.",
                path,
            )


def _is_shown(entry: Any, there: Any) -> bool:
    found = there.get(entry.key)
    etag = entry.meta and entry.meta.etag
    return bool(found and found.meta and etag and found.meta.etag == etag)


def _prune(diff: Any, old: Any, new: Any) -> None:
    """Delete what left a tracked folder, where the folder's listing is whole."""
    doomed = {entry.key: entry for entry in diff.files_delete}
    for key, entry in new.iteritems():
        if not (entry.meta and entry.meta.isdir and entry.meta.nfiles is not None):
            continue
        tracked = _files(new, key)
        if len(tracked) != entry.meta.nfiles:
            logger.debug("%s: %d of %d files known, none deleted", key, len(tracked), entry.meta.nfiles)
            continue
        doomed.update({gone: there for gone, there in _files(old, key).items() if gone not in tracked})
    diff.files_delete = list(doomed.values())


def _files(index: Any, prefix: Key) -> dict[Key, Any]:
    try:
        below = list(index.iteritems(prefix))
    except KeyError:
        return {}
    return {key: entry for key, entry in below if key != prefix and not (entry.meta and entry.meta.isdir)}


def prune_existing(
    original: Original, entries: Iterable[Any], fs: Any, path: str, *args: Any, **kwargs: Any
) -> Iterator[Any]:
    """Skip versions that are on the remote already; a worktree shows them again at its head."""
    if not is_hub(fs):
        yield from original(entries, fs, path, *args, **kwargs)
        return
    entries = list(entries)
    known = [] if fs.config.get("worktree") else [entry for entry in entries if entry.meta.version_id]
    there = set(_existing(known, fs, path))
    yield from (entry for entry in entries if entry.key not in there)


def _existing(entries: list[Any], fs: Any, path: str) -> Iterator[Key]:
    """The keys of those whose version is on the Hub; a history that was squashed has lost its versions."""
    by_version: dict[str, list[Any]] = {}
    for entry in entries:
        by_version.setdefault(entry.meta.version_id, []).append(entry)
    for version, members in by_version.items():
        paths = [fs.version_path(fs.join(path, *entry.key), version) for entry in members]
        try:
            found = fs.exists(paths)
        except LostVersionError:
            logger.info("commit %s is gone from %s: its %d files go again", version, path, len(members))
            fs.open_repository(path).lost.add(version)
            continue
        yield from (entry.key for entry, is_there in zip(members, found, strict=True) if is_there)


def check_versioning(original: Original, paths: Iterable[str], fs: Any) -> None:
    """Believe that the Hub has versions; while the commit is held back, it cannot say which."""
    if not (is_hub(fs) and transaction.depth):
        original(paths, fs)


def rebuild(original: Original, idx: Any, path: str, fs: Any, cb: Any) -> Any:
    """Read the versions of all pushed files in a few requests."""
    if not is_hub(fs):
        return original(idx, path, fs, cb)
    keys = [key for key, entry in idx.items() if not (entry.meta and entry.meta.isdir)]
    with fs.fs.remembering([fs.join(path, *key) for key in keys]):
        return original(idx, path, fs, cb)


def md5(original: Original, index: Any, *args: Any, **kwargs: Any) -> Any:
    """Believe a recorded md5 where the etag is the recorded one; read and hash only the rest."""
    fs = index.storage_map[()].data.fs
    if not is_hub(fs):
        return original(index, *args, **kwargs)
    from dvc_data.index.index import DataIndex

    with fs.fs.remembering(_paths(index)):
        trusted: Any = DataIndex()  # type: ignore[no-untyped-call]
        rest: Any = DataIndex()  # type: ignore[no-untyped-call]
        trusted.storage_map = rest.storage_map = index.storage_map
        for _, entry in index.iteritems():
            (trusted if _is_certain(entry, index) else rest).add(entry)
        hashed = original(rest, *args, **kwargs)
    for _, entry in hashed.iteritems():
        trusted.add(entry)
    return trusted


def _paths(index: Any) -> list[str]:
    """The remote paths of an index's files, each at its version."""
    paths = []
    for _, entry in index.iteritems():
        if entry.meta and entry.meta.isdir:
            continue
        try:
            paths.append(index.storage_map.get_storage(entry, "data")[1])
        except ValueError:
            continue
    return paths


def _is_certain(entry: Any, index: Any) -> bool:
    """Whether the entry has an md5, and the Hub still shows the etag that was recorded with it."""
    if not (entry.meta and entry.meta.etag and entry.hash_info and entry.hash_info.name.startswith("md5")):
        return False
    try:
        fs, path = index.storage_map.get_storage(entry, "data")
        return bool(fs.info(path).get("etag") == entry.meta.etag)
    except (ValueError, FileNotFoundError):
        return False


def filter_changed(original: Original, index: Any) -> Any:
    """Compare all files with the Hub in a few requests."""
    fs = index.storage_map[()].data.fs
    if not is_hub(fs):
        return original(index)
    with fs.fs.remembering(_paths(index)):
        return original(index)
