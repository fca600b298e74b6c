"""What DVC notes on disk: each note is written whole or not at all, and of the Hub none is believed.

DVC keeps a list of the project's files (the data index) and one of what is on each remote. Of both it asks
only whether an entry is there, never whether its writing came to an end: see docs/dvc-defects.md.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from dvc_hf.hooks.transfer import is_hub

Original = Callable[..., Any]
WRITER = "dvc-hf 1"  # whose lists are whole; lists under another name are not looked at
_STEP = "SELECT id, pid, name, ? AS path, has_value, value FROM nodes WHERE pid == ? AND name == ?"


def identify(original: Original, outs: Sequence[Any]) -> Any:
    """Name the project's list by its writer and by the files' versions too, which DVC leaves out."""
    tree = original(outs)
    known = sorted(json.dumps(_described(out), default=str, sort_keys=True) for out in outs if out.use_cache)
    digest = sha256("\n".join([WRITER, tree.hash_info.value, *known]).encode())
    tree.hash_info.value = f"{digest.hexdigest()[:32]}.dir"
    return tree


def _described(out: Any) -> list[Any]:
    """What a ``.dvc`` file says of an output, and of where it was imported from."""
    sources = out.stage.deps if out.stage.is_import else ()
    facts = ("fspath", "meta", "hash_info", "files")
    return [[_plain(getattr(item, fact, None)) for fact in facts] for item in (out, *sources)]


def _plain(fact: Any) -> Any:
    return fact.to_dict() if hasattr(fact, "to_dict") else fact


def load_outputs(original: Original, index: Any, *args: Any, **kwargs: Any) -> Any:
    """Write down the outputs, all of them or none."""
    with _all_or_nothing(index._trie):  # noqa: SLF001
        return original(index, *args, **kwargs)


def load_folder(original: Original, index: Any, key: Any, entry: Any) -> Any:
    """Write down a folder's files, all of them or none."""
    if not entry or entry.loaded:
        return original(index, key, entry)
    was_loaded = entry.loaded
    try:
        with _all_or_nothing(index._trie):  # noqa: SLF001
            return original(index, key, entry)
    except BaseException:
        entry.loaded = was_loaded
        raise


def load_listing(original: Original, trie: Any, *args: Any, **kwargs: Any) -> Any:
    """Write down a listing's files; DVC goes on after a failure, but not with half of them."""
    with _all_or_nothing(trie):
        return original(trie, *args, **kwargs)


@contextmanager
def _all_or_nothing(trie: Any) -> Iterator[None]:
    """Take back what was not committed, where the writing does not come to its end."""
    try:
        yield
    except BaseException:
        stored: Any = getattr(trie, "_trie", None)  # a list in memory has no table below it
        if hasattr(stored, "_ids"):
            trie.rollback()
            stored._ids.clear()  # noqa: SLF001 - of rows that are no more
            trie._cache.clear()  # noqa: SLF001
        raise


def traverse(original: Original, trie: Any, key: Sequence[str]) -> list[Any]:  # noqa: ARG001
    """Find the rows along a key, by reading alone: DVC's way commits whatever is half done."""
    rows: list[Any] = []
    parent, names = trie._root_id, "/".join(key).split("/")  # noqa: SLF001
    for depth, name in enumerate(names, 1):
        path = "/".join(names[:depth])
        row = trie._conn.execute(_STEP, (path, parent, name)).fetchone()  # noqa: SLF001
        if row is None:
            break
        rows.append(row)
        parent = row["id"]
    return rows


def collect(original: Original, idxs: Any, storage: Any, *args: Any, **kwargs: Any) -> Any:
    """Collect what is to be pushed or fetched in memory: quicker than a list on disk, and never half."""
    kwargs.update(cache_index=None, cache_key=None)
    return original(idxs, storage, *args, **kwargs)


def change_remote(original: Original, remote_index: Any, *args: Any, **kwargs: Any) -> Any:
    """Change the list of what is on a remote in one transaction."""
    with remote_index.index.transact():
        return original(remote_index, *args, **kwargs)


def status(original: Original, odb: Any, *args: Any, **kwargs: Any) -> Any:
    """Ask the Hub for every object: a list on disk says what was there, and a listing what should be."""
    if is_hub(odb.fs):
        kwargs["index"] = None
    return original(odb, *args, **kwargs)
