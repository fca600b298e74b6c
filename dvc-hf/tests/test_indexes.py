"""DVC's notes on disk are written whole or not at all, whatever ends the writing."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dvc_data.hashfile.db.index import ObjectDBIndex
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.index import DataIndex, DataIndexEntry
from dvc_data.index.index import Meta
from dvc_hf.hooks import indexes
from sqltrie import SQLiteTrie

KEYS = [("tree", "x", "repo", "d", name) for name in "abc"]
PREFIX = KEYS[0][:-1]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataIndex]:
    """A data index of DVC's on disk, read as we read it."""
    original = SQLiteTrie._traverse
    monkeypatch.setattr(SQLiteTrie, "_traverse", lambda trie, key: indexes.traverse(original, trie, key))
    index = DataIndex.open(str(tmp_path / "db.db"))
    yield index
    index.close()


def write(index: Any, keys: list[tuple[str, ...]], error: BaseException | None = None) -> None:
    for key in keys:
        index[key] = DataIndexEntry(key=key, meta=Meta())
    if error:
        raise error


def rows(path: Path) -> int:
    """How many entries another process sees."""
    with sqlite3.connect(path / "db.db") as connection:
        return int(connection.execute("SELECT count(*) FROM nodes WHERE has_value").fetchone()[0])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("full"), ValueError()])
@pytest.mark.parametrize("guard", [indexes.load_outputs, indexes.load_listing])
def test_what_ends_half_way_leaves_nothing_behind(index, tmp_path, guard: Callable[..., Any], error) -> None:
    trie = index if guard is indexes.load_outputs else index._trie
    with pytest.raises(type(error)):
        guard(write, trie, KEYS[:2], error)
    index.commit()
    assert rows(tmp_path) == 0
    guard(write, trie, KEYS)
    index.commit()
    assert rows(tmp_path) == len(KEYS)
    assert sorted(DataIndex.open(str(tmp_path / "db.db")).iterkeys()) == KEYS


def test_a_folder_that_was_not_read_to_its_end_is_read_again(index, tmp_path) -> None:
    entry = DataIndexEntry(key=PREFIX, meta=Meta(isdir=True))
    index[PREFIX] = entry
    index.commit()

    def half(index: Any, key: Any, entry: Any) -> None:
        entry.loaded = True
        del index[key]
        write(index, KEYS[:1], KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        indexes.load_folder(half, index, PREFIX, entry)
    index.commit()
    assert rows(tmp_path) == 1
    assert not entry.loaded
    assert index[PREFIX].meta.isdir


def test_looking_for_a_key_commits_nothing(index, tmp_path) -> None:
    write(index, KEYS[:1])
    assert not index.has_node(("push",))
    write(index, KEYS[1:])
    assert rows(tmp_path) == 0


@pytest.mark.parametrize(
    "key", [KEYS[0], PREFIX, (*PREFIX, "gone"), ("gone", "a"), ("tree",), ("tree", "x/repo")]
)
def test_a_key_is_found_as_dvc_finds_it(tmp_path, key: tuple[str, ...]) -> None:
    trie = SQLiteTrie.open(str(tmp_path / "trie.db"))
    for name in KEYS:
        trie[name] = b"value"
    trie.commit()
    ours = indexes.traverse(SQLiteTrie._traverse, trie, key)
    assert [tuple(row) for row in ours] == [tuple(row) for row in trie._traverse(key)]
    trie.close()


def test_the_list_of_a_remote_is_emptied_at_once_or_not_at_all(tmp_path) -> None:
    remote = ObjectDBIndex(str(tmp_path), "remote")
    indexes.change_remote(ObjectDBIndex.update, remote, ["a.dir"], map(str, range(250)))

    def half(remote: Any) -> None:
        remote.index.popitem(last=False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        indexes.change_remote(half, remote)
    assert len(list(remote)) == 251
    assert list(remote.dir_hashes()) == ["a.dir"]
    indexes.change_remote(ObjectDBIndex.clear, remote)
    assert list(remote) == []
    remote.close()


def named(version: str) -> str:
    """The name of the list of a project with one file, which is on a remote at this version."""
    stage = SimpleNamespace(is_import=False, deps=[])
    out = SimpleNamespace(
        use_cache=True, fspath="x", meta=Meta(version_id=version), hash_info=None, files=None, stage=stage
    )
    tree = indexes.identify(lambda outs: SimpleNamespace(hash_info=HashInfo("md5", "a.dir")), [out])
    return str(tree.hash_info.value)


def test_a_list_is_not_that_of_dvc_alone_nor_that_of_other_versions() -> None:
    assert named("1") == named("1")
    assert len({named("1"), named("2"), "a.dir"}) == 3
