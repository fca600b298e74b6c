"""A push, a pull and a gc are killed at random moments: the next one completes, and nothing is lost."""

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from minihub.testing import Hub

LONG = bool(os.environ.get("DVC_HF_LONG"))  # `make dvc-faults`: 50 kills of each
KILLS = 10 if LONG else 2  # in one project
WALKS = ("lfs", "xet", "bucket", "xet", "lfs", "bucket") if LONG else ("lfs", "bucket")  # such projects
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
FOREIGN = {"en/train.csv": b"a,b\n", "ab/cdef.bin": b"\0no object of DVC's"}
logger = logging.getLogger(__name__)


def noise(size: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture(params=range(len(WALKS)))
def walk(request: pytest.FixtureRequest) -> int:
    """Which project this is, and so how its content travels."""
    return int(request.param)


@pytest.fixture
def remote(make_remote: Callable[..., Any], walk: int) -> Any:
    """Where the project pushes to."""
    return make_remote(WALKS[walk])


@pytest.fixture
def models(make_project: Callable[..., Any], remote: Any, walk: int) -> Any:
    """A published folder with two large files, ten small ones and a card, on the remote."""
    project = make_project(url=remote.url, publish="models")
    if WALKS[walk] != "lfs":
        del project.env["HF_HUB_DISABLE_XET"]
    for number in range(10):
        project.write(f"models/small/{number}.txt", f"{number}\n")
    project.write("models/README.md", "# Card\n")
    renew(project, "start")
    project.dvc("push")
    project.commit()
    return project


def renew(project: Any, version: str) -> None:
    """A new version of the large files and of one small one."""
    for name in ("a.pt", "b.pt"):
        project.write(f"models/{name}", noise(400_000, name + version))
    project.write("models/small/0.txt", version)
    project.dvc("add", "models")


def files(folder: Path) -> dict[str, bytes]:
    """A folder's files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".gitignore"
    }


class Killer:
    """Runs a command of DVC's, and kills it at a random request of it or a random while after."""

    def __init__(self, hub: Hub, seed: str) -> None:
        self._hub = hub
        self._random = random.Random(seed)
        self._requests = 0
        self._pause_s = 0.0
        self.met = 0

    def watch(self, project: Any, *command: str) -> None:
        """Let it end undisturbed, to know what it asks for and how long it takes from one to the next."""
        process, started = self._start(project, command)
        assert process.wait() == 0
        self._requests = len(self._hub.requests)
        self._pause_s = (time.monotonic() - started) / self._requests

    def kill(self, project: Any, *command: str) -> None:
        """Kill it at a random moment."""
        process, _ = self._start(project, command)
        number = self._random.randint(1, self._requests)
        while len(self._hub.requests) < number and process.poll() is None:
            time.sleep(0.001)
        time.sleep(self._random.random() * self._pause_s)
        process.send_signal(KILL)
        self.met += process.wait() != 0

    def _start(self, project: Any, command: tuple[str, ...]) -> tuple["subprocess.Popen[bytes]", float]:
        self._hub.requests.clear()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", *command], cwd=project.folder, env=project.env, **quiet
        )
        while not self._hub.requests and process.poll() is None:
            time.sleep(0.001)
        return process, time.monotonic()


@pytest.fixture
def killer(hub: Hub, walk: int, request: pytest.FixtureRequest) -> Iterator[Killer]:
    """A killer that met its victims alive more often than not."""
    name = request.function.__name__
    killer = Killer(hub, f"{name}{walk}")
    yield killer
    logger.info("%s, walk %d: %d of %d kills met it running", name, walk, killer.met, KILLS)
    assert killer.met * 2 >= KILLS


@pytest.mark.slow
def test_a_push_that_is_killed_is_completed_by_the_next(models, killer, remote, tmp_path) -> None:
    renew(models, "watched")
    killer.watch(models, "push")
    pushed = {}
    for number in range(KILLS):
        renew(models, str(number))
        pin = models.read("models.dvc")
        killer.kill(models, "push")
        assert models.read("models.dvc") == pin
        models.dvc("push")
        assert models.read("models.dvc") == pin
        wanted = files(models.folder / "models")
        pushed.update({md5(content).hexdigest(): content for content in wanted.values()})
        there = remote.read_all()
        assert {name: there.get(name) for name in wanted} == wanted
        assert {oid: there.get(f"files/md5/{oid[:2]}/{oid[2:]}") for oid in pushed} == pushed
    models.commit()
    clone = models.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert files(clone.folder / "models") == files(models.folder / "models")


@pytest.mark.slow
def test_a_pull_that_is_killed_is_completed_by_the_next(models, killer, tmp_path) -> None:
    wanted = files(models.folder / "models")
    clone = models.clone(tmp_path / "clone")
    killer.watch(clone, "pull")
    for _ in range(KILLS):
        shutil.rmtree(clone.folder / ".dvc" / "cache")
        shutil.rmtree(clone.folder / "models", ignore_errors=True)
        killer.kill(clone, "pull")
        assert_cache_is_whole(clone)
        clone.dvc("pull")
        assert_cache_is_whole(clone)
        assert files(clone.folder / "models") == wanted
        assert "up to date" in clone.dvc("status").out
    assert clone.git("status", "--short").out == ""


def assert_cache_is_whole(project: Any) -> None:
    """No object of the cache is half a file: DVC trusts its name."""
    for path in (project.folder / ".dvc/cache/files/md5").glob("??/*"):
        name = (path.parent.name + path.name).removesuffix(".dir")
        if len(name) == 32:  # others are files on their way
            assert md5(path.read_bytes()).hexdigest() == name


@pytest.mark.slow
def test_a_gc_that_is_killed_is_completed_by_the_next(models, killer, remote, tmp_path) -> None:
    for path, content in FOREIGN.items():
        remote.upload(path, content)
    collect = ("gc", "--workspace", "--cloud", "--force")
    renew(models, "watched")
    models.dvc("push")
    killer.watch(models, *collect)
    for number in range(KILLS):
        renew(models, str(number))
        models.dvc("push")
        pin, wanted = models.read("models.dvc"), files(models.folder / "models")
        killer.kill(models, *collect)
        assert_remote_has(remote.read_all(), wanted)
        models.dvc(*collect)
        there = remote.read_all()
        assert_remote_has(there, wanted)
        objects = [path for path in there if path.startswith("files/md5/")]
        assert len(objects) == len({md5(content).hexdigest() for content in wanted.values()}) + 1
        assert models.read("models.dvc") == pin
    models.commit()
    clone = models.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert files(clone.folder / "models") == wanted


def assert_remote_has(there: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    """The objects of the workspace, its plain names, and what is not ours."""
    for name, content in wanted.items():
        oid = md5(content).hexdigest()
        assert there[f"files/md5/{oid[:2]}/{oid[2:]}"] == content
        assert there[name] == content
    assert {path: there[path] for path in FOREIGN} == FOREIGN
