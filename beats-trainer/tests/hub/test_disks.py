"""Disks as clusters have them: caches and shelves that cannot be written, and file systems without locks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from minihub.testing import Hub
from published import Published, publish

# Root may write everywhere until it lays down its capabilities, which only Linux knows.
HUMBLE = """
import ctypes, os, sys
if os.geteuid() == 0:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")
"""
FETCH = """
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import BeatsError
try:
    print(fetch_checkpoint("small"))
except BeatsError as error:
    sys.exit(str(error))
"""
# The call beneath every lock library answers as such a file system does.
LOCKLESS = """
import errno, fcntl, sys
def flock(*_):
    raise OSError(getattr(errno, sys.argv[1]), "no locks here")
fcntl.flock = flock
"""
no_root = pytest.mark.skipif(
    os.name != "posix" or (os.geteuid() == 0 and sys.platform != "linux"),
    reason="folders that cannot be written: not on Windows, and as root only on Linux",
)
no_flock = pytest.mark.skipif(os.name != "posix", reason="Windows has no flock")


def start(published: Published, code: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=published.env(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out.strip(), err


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """No file or folder below can be written."""
    below = [folder, *folder.rglob("*")]
    paths = [path for path in below if not path.is_symlink()]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


@no_root
def test_a_cache_that_cannot_be_written_serves_what_it_holds(published: Published):
    first = ended(start(published, HUMBLE + FETCH))
    assert first[0] == 0, first[2]
    published.hub.requests.clear()
    with read_only(published.folder / "home"):
        again = ended(start(published, HUMBLE + FETCH))
    assert again[:2] == (0, first[1]), again[2]
    assert Path(again[1]).read_bytes() == published.data
    assert len(list(published.hub.requests)) == 0


@no_root
def test_a_cache_that_cannot_be_written_and_lacks_the_file_is_named(published: Published):
    published.cache.mkdir(parents=True)
    with read_only(published.folder / "home"):
        status, out, err = ended(start(published, HUMBLE + FETCH))
    assert (status, out) == (1, "")
    assert "cannot fetch small" in err
    assert str(published.cache) in err
    assert "set HF_HUB_CACHE" in err
    assert "Traceback" not in err
    assert list(published.cache.iterdir()) == []


@no_root
def test_a_damaged_file_in_a_cache_that_cannot_be_written_is_never_returned(published: Published):
    path = Path(ended(start(published, HUMBLE + FETCH))[1])
    path.resolve().write_bytes(published.data[:-1] + b"?")
    with read_only(published.folder / "home"):
        status, out, err = ended(start(published, HUMBLE + FETCH))
    assert (status, out) == (1, "")
    assert "its bytes are damaged, and it cannot be removed" in err


@no_root
def test_a_shelf_that_cannot_be_written_is_read_and_nothing_else_is_touched(published: Published):
    shelf = published.folder / "shelf"
    shelf.mkdir()
    (shelf / "carried.pt").write_bytes(published.data)
    (published.folder / "home").mkdir()
    with read_only(shelf), read_only(published.folder / "home"):
        found = ended(start(published, HUMBLE + FETCH, BEATS_CHECKPOINTS=str(shelf)))
    assert found[:2] == (0, str(shelf / "carried.pt")), found[2]
    assert len(list(published.hub.requests)) == 0


@no_flock
@pytest.mark.parametrize("answer", ["ENOLCK", "ENOSYS", "ENOTSUP"])
def test_without_locks_processes_that_ask_at_once_all_end_with_the_right_file(
    hub: Hub, tmp_path: Path, answer: str
):
    published = publish(hub, tmp_path, size=2_000_000)
    running = [start(published, LOCKLESS + FETCH, answer) for _ in range(4)]
    for status, out, err in [ended(process) for process in running]:
        assert status == 0, err
        assert Path(out).read_bytes() == published.data
    assert published.leftovers() == []
    assert not list(published.cache.rglob("*.link"))
