"""DVC's objects on their way from the Hub: each is told what it must be, and a bad listing fails alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dvc_hf.hooks.transfer import is_hub
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.promises import LEGACY, Promise
from dvc_hf.log import logger

Original = Callable[..., Any]


def add(original: Original, odb: Any, path: Any, fs: Any, oid: Any, *args: Any, **kwargs: Any) -> Any:
    """Take files into a cache under the names of their contents, which are compared as they arrive."""
    if not is_hub(fs) or is_hub(odb.fs):
        return original(odb, path, fs, oid, *args, **kwargs)
    paths = [path] if isinstance(path, str) else path
    oids = [oid] if isinstance(oid, str) else oid
    fs.fs.expect(_promises(paths, oids, odb.hash_name))
    kwargs["verify"] = False  # DVC would read what has just been proved once more
    return original(odb, path, fs, oid, *args, **kwargs)


def _promises(paths: Sequence[str], oids: Sequence[str], hash_name: str) -> dict[str, Promise]:
    return {path: Promise.of(oid, hash_name) for path, oid in zip(paths, oids, strict=True)}


def transfer(
    original: Original, src: Any, dest: Any, obj_ids: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Fetch objects; a listing that is not what its name says, or leads out, fails without the others.

    DVC's own loop ends at the first listing that cannot be read.
    """
    if not is_hub(src.fs) or is_hub(dest.fs):
        return original(src, dest, obj_ids, *args, **kwargs)
    wanted = set(obj_ids)
    bad = {info for info in wanted if not _is_sound(info, src, kwargs.get("cache_odb"))}
    result = original(src, dest, wanted - bad, *args, **kwargs)
    return type(result)(result.transferred, result.failed | bad)


def _is_sound(info: Any, src: Any, cache: Any) -> bool:
    """Whether a fetch may go on with an object of this name."""
    from dvc_data.hashfile.transfer import find_tree_by_obj_id

    try:
        Promise.of(info.value, src.hash_name)
        if info.isdir:
            find_tree_by_obj_id([cache, src], info)
    except RejectedError as error:
        report_once(error)
        return False
    return True


def load_directory(original: Original, trie: Any, entry: Any, *args: Any, **kwargs: Any) -> Any:
    """Load a directory's listing; where it is refused, DVC goes on without it and does not say why."""
    from dvc_data.index.index import DataIndexDirError

    try:
        return original(trie, entry, *args, **kwargs)
    except DataIndexDirError as error:
        if isinstance(error.__cause__, RejectedError):
            report_once(error.__cause__)
        raise


def report_once(error: RejectedError) -> None:
    """Report why something was refused, once: DVC reads a listing many times."""
    if str(error) not in _told:
        _told.add(str(error))
        logger.error("%s", error)


_told: set[str] = set()


def fetch(original: Original, *args: Any, **kwargs: Any) -> tuple[int, int]:
    """Fetch everything; DVC forgets to count what failed of versions and imports."""
    before = len(_lost)
    fetched, failed = original(*args, **kwargs)
    return fetched, failed + len(_lost) - before


def save(original: Original, index: Any, *args: Any, **kwargs: Any) -> int:
    """Take versions and imports into the cache; what fails is told and counted."""
    on_error = kwargs.get("on_error")
    if on_error is None or not is_hub(index.storage_map[()].data.fs):
        return int(original(index, *args, **kwargs))

    def report(oid: str, error: BaseException) -> None:
        _lost.append(oid)
        logger.error("failed to transfer '%s' - %s", oid, error)
        on_error(oid, error)

    return int(original(index, *args, **{**kwargs, "on_error": report}))


_lost: list[str] = []


def create_files(
    original: Original, entries: Iterable[Any], index: Any, path: str, fs: Any, **kwargs: Any
) -> None:
    """Make files of a folder, those of versioned imports too; DVC does not say why one of them failed."""
    entries = list(entries)
    if index is not None and not is_hub(fs):
        for entry in entries:
            _expect_entry(entry, index, kwargs.get("storage", "cache"))
        kwargs["onerror"] = _telling(kwargs.get("onerror"))
    original(entries, index, path, fs, **kwargs)


def _telling(on_error: Callable[..., Any] | None) -> Callable[..., Any] | None:
    if on_error is None:
        return None

    def report(source: Any, target: str, error: BaseException) -> None:
        if isinstance(error, RejectedError):
            report_once(error)
        on_error(source, target, error)

    return report


def _expect_entry(entry: Any, index: Any, storage: str) -> None:
    """Tell the Hub's storage what an index says of one file, if it is to come from there."""
    info = entry.hash_info
    source = getattr(index.storage_map[entry.key], storage)
    if info and info.name in ("md5", LEGACY) and source is not None and is_hub(source.fs):
        source.fs.fs.expect({source.get(entry)[1]: Promise.of(info.value, info.name)})


def locate(original: Original, filesystem: Any, *args: Any, **kwargs: Any) -> Any:
    """Find where a tracked file is; on the Hub it must be what the ``.dvc`` file says."""
    found = original(filesystem, *args, **kwargs)
    info = found.hash_info
    if is_hub(found.fs) and info and info.name in ("md5", LEGACY):
        found.fs.fs.expect({found.fs_path: Promise.of(info.value, info.name)})
    return found
