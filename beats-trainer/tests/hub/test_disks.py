"""Disks as clusters have them: caches and shelves that cannot be written, and file systems without locks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from beats_trainer.hub import lock
from beats_trainer.hub.partial_file import Partial
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
    if sys.argv[1] != "nothing":
        raise OSError(getattr(errno, sys.argv[1]), "no locks here")
fcntl.flock = flock
"""
IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from beats_trainer import fetch_checkpoint
with ThreadPoolExecutor(16) as pool:
    print(*{str(path) for path in pool.map(fetch_checkpoint, ["small"] * 16)})
"""
HOLD = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
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
@pytest.mark.parametrize("answer", ["ENOLCK", "ENOSYS", "ENOTSUP", "nothing"])
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


@no_flock
@pytest.mark.parametrize("answer", ["ENOLCK", "ENOSYS", "nothing"])
def test_without_locks_no_thread_takes_what_another_one_writes(hub: Hub, tmp_path: Path, answer: str):
    published = publish(hub, tmp_path, size=2_000_000)
    hub.fail("GET", "*/resolve/*", delay=0.5, times=None)
    status, out, err = ended(start(published, LOCKLESS + IN_THREADS, answer))
    assert status == 0, err
    assert Path(out).read_bytes() == published.data
    assert published.leftovers() == []


@no_flock
def test_where_locks_are_files_one_that_somebody_left_is_none(published: Published):
    blob = Path(ended(start(published, FETCH))[1]).resolve()
    left = published.cache / ".locks" / blob.parent.parent.name / f"{blob.name}.lock"
    left.write_text("4194304\nanother-node\n")
    blob.unlink()
    status, out, err = ended(start(published, LOCKLESS + FETCH, "ENOSYS"))
    assert status == 0, err
    assert "going on without it" not in err  # it was not waited for
    assert Path(out).read_bytes() == published.data


@no_flock
def test_a_holder_that_gets_nowhere_is_named_and_then_not_waited_for(
    published: Published, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(lock, "TOLD_S", 0.5)
    monkeypatch.setattr(lock, "IDLE_S", 2)
    blob, file = published.folder / "blob", published.folder / "blob.lock"
    (published.folder / "blob.node_1-77-x.incomplete").write_bytes(b"some")
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with lock.cache_lock(file, blob):
            holder.kill()
    assert f"{file} is held by whoever writes node_1-77-x.incomplete: waiting" in caplog.text
    assert f"{file}: going on without it" in caplog.text


@pytest.mark.parametrize(
    ("silent_s", "kept", "resumed"), [(10, True, False), (3_600, True, True), (100_000, False, True)]
)
def test_what_a_machine_that_cannot_be_asked_began_is_copied_before_it_is_taken(
    tmp_path: Path, silent_s: float, kept: bool, resumed: bool
):
    begun = tmp_path / "blob.node_0-7-x.incomplete"
    begun.write_bytes(b"begun")
    os.utime(begun, (time.time() - silent_s,) * 2)
    partial = Partial(tmp_path / "blob", "sha256")
    assert begun.exists() == kept
    assert partial.size == (5 if resumed else 0)
    partial.write(b" and ended")
    partial.finish()
    assert (tmp_path / "blob").read_bytes() == (b"begun" if resumed else b"") + b" and ended"
