"""A push, a pull and a gc end at each border of what they do: the next one completes them.

A border lies behind each transaction of DVC's databases and, in the long form, before and behind each request
and before each file that gets its name, too. The command is killed there, or interrupted as by Ctrl-C.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

LONG = bool(os.environ.get("DVC_HF_LONG"))  # `make dvc-faults`
SIGNALS = {"kill": "SIGKILL", "interrupt": "SIGINT"}
MOST_BORDERS = 200
SABOTAGE = """
import os, signal, sqlite3, sys
connect, borders, is_ended, is_due = sqlite3.connect, 0, False, False

def border():
    global borders
    borders += 1
    if borders == {number}:
        os.kill(os.getpid(), signal.{signal})

def step(statement):
    # What a callback of SQLite's raises is lost, so an interrupt comes when the statement is done.
    global is_ended, is_due
    if is_ended:
        is_ended = False
        is_due = "{signal}" == "SIGINT" or border()
    is_ended = statement.lstrip().startswith("COMMIT")

def interruptible(method):
    def call(*args):
        global is_due
        answer = method(*args)
        if is_due:
            is_due = False
            border()
        return answer
    return call

class Connection(sqlite3.Connection):
    execute = interruptible(sqlite3.Connection.execute)
    executemany = interruptible(sqlite3.Connection.executemany)
    executescript = interruptible(sqlite3.Connection.executescript)
    commit = interruptible(sqlite3.Connection.commit)

def connected(*args, **kwargs):
    connection = connect(*args, factory=Connection, **kwargs)
    connection.set_trace_callback(step)
    return connection

sqlite3.connect = connected
if {everywhere}:
    from huggingface_hub.utils import get_session
    client = type(get_session())
    send = client.send

    def sent(*args, **kwargs):
        border()
        answer = send(*args, **kwargs)
        border()
        return answer

    client.send = sent
    sys.addaudithook(lambda event, _: border() if event == "os.rename" else None)
"""
REMOTES = {
    "publish": {"publish": "m"},
    "objects": {},
    "versions": {"version_aware": "true"},
    "worktree": {"worktree": "true"},
}
pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="no signal there ends a process in its middle"
)


@pytest.fixture(params=SIGNALS)
def stop(request: pytest.FixtureRequest) -> str:
    """How the command is stopped."""
    return SIGNALS[request.param]


@pytest.fixture
def make(make_project: Callable[..., Any], repo: str) -> Callable[..., Any]:
    """Makes a project with a folder, files in several folders, and one that has the content of another."""
    made = 0

    def build(options: dict[str, str], version: str = "1") -> Any:
        nonlocal made
        made += 1
        project = make_project(folder=f"p{made}", **options)
        project.env = {**project.env, "DVC_SITE_CACHE_DIR": str(project.folder.parent / f"site{made}")}
        change(project, f"{made}-{version}")
        project.commit()
        return project

    return build


def change(project: Any, version: str) -> None:
    """A new version of every file but one."""
    for number in range(4):
        project.write(f"m/{number}.bin", f"\0m{number} {version}")
    project.write("m/sub/same.bin", f"\0same as {project.folder.name}")
    for number in range(2):
        project.write(f"s{number}/x.bin", f"\0s{number} {version}")
    shutil.copy(project.folder / "m/0.bin", project.folder / "best.bin")
    project.dvc("add", "m", "s0/x.bin", "s1/x.bin", "best.bin")


def contents(project: Any) -> dict[str, bytes]:
    """The files that DVC tracks, by their names."""
    paths = [path for path in project.folder.rglob("*.bin") if ".dvc" not in path.parts]
    return {path.relative_to(project.folder).as_posix(): path.read_bytes() for path in sorted(paths)}


def stopped_at_each_border(
    stop: str, command: tuple[str, ...], prepare: Callable[[], Any], everywhere: bool = LONG
) -> Iterator[Any]:
    """Projects in which a command was stopped: at its first border, at its second, and so on to the last."""
    for number in range(1, MOST_BORDERS):
        project = prepare()
        sabotage = SABOTAGE.format(number=number, signal=stop, everywhere=everywhere)
        done = project.dvc(*command, ok=None, before=sabotage)
        if done.status == 0:
            assert number > 3, "the command has fewer borders than it must have"
            return
        assert done.status == (-9 if stop == "SIGKILL" else 252), done.text
        yield project
    raise AssertionError("the command does not come to its end")


def assert_objects(there: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    """Every content is on the remote, under the name of its md5."""
    for content in wanted.values():
        oid = md5(content).hexdigest()
        assert there.get(f"files/md5/{oid[:2]}/{oid[2:]}") == content


def keep_pins(project: Any) -> None:
    """Commit the ``.dvc`` files to git; a push has changed them where the remote has versions."""
    project.git("add", "--all")
    project.git("commit", "--quiet", "--allow-empty", "--message", "pins")


def assert_pulled(project: Any, folder: Path) -> None:
    """A fresh clone gets every file."""
    keep_pins(project)
    clone = project.clone(folder)
    clone.dvc("pull")
    assert contents(clone) == contents(project)
    shutil.rmtree(folder)


def shown(project: Any, mode: str) -> dict[str, bytes]:
    """The plain names that a remote of this kind shows."""
    files = contents(project)
    if mode == "publish":
        return {name.removeprefix("m/"): content for name, content in files.items() if name.startswith("m/")}
    return files if mode in ("versions", "worktree") else {}


@pytest.mark.slow
@pytest.mark.parametrize("mode", REMOTES if LONG else ("publish", "versions"))
def test_a_push_that_ends_anywhere_is_completed_by_the_next(make, stop, mode, served, tmp_path) -> None:
    for project in stopped_at_each_border(stop, ("push",), lambda: make(REMOTES[mode])):
        project.dvc("push")
        there, names = served(), shown(project, mode)
        assert {name: there.get(name) for name in names} == names
        if mode in ("publish", "objects"):
            assert_objects(there, contents(project))
            assert "in sync" in project.dvc("status", "--cloud").out
        if LONG or mode == "versions":
            assert_pulled(project, tmp_path / "clone")


@pytest.mark.slow
def test_a_file_is_sent_though_a_push_of_its_content_in_a_folder_was_stopped(make, stop, served) -> None:
    for project in stopped_at_each_border(stop, ("push", "m"), lambda: make(REMOTES["objects"])):
        project.dvc("push", "best.bin")
        assert_objects(served(), {"best.bin": project.read("best.bin")})


@pytest.mark.slow
@pytest.mark.parametrize("mode", REMOTES if LONG else ("objects",))
def test_a_pull_that_ends_anywhere_is_completed_by_the_next(make, stop, mode, tmp_path) -> None:
    """The clone has one version in its workspace, and pulls the one before."""
    project = make(REMOTES[mode])
    project.dvc("push")
    keep_pins(project)
    wanted = contents(project)
    change(project, "2")
    project.dvc("push")
    keep_pins(project)
    names = iter(range(MOST_BORDERS))

    def prepare() -> Any:
        clone = project.clone(tmp_path / f"clone{next(names)}")
        clone.dvc("pull")
        clone.git("checkout", "--quiet", "HEAD~1")
        return clone

    for clone in stopped_at_each_border(stop, ("pull",), prepare):
        clone.dvc("pull")
        assert contents(clone) == wanted
        assert "up to date" in clone.dvc("status").out


@pytest.mark.slow
def test_a_gc_that_ends_anywhere_is_completed_by_the_next(make, stop, served, tmp_path) -> None:
    """It has few transactions, so its requests are borders in the short form, too."""

    def prepare() -> Any:
        project = make(REMOTES["publish"])
        project.dvc("push")
        change(project, f"{project.folder.name} 2")
        project.dvc("push")
        return project

    collect = ("gc", "--workspace", "--cloud", "--force")
    for project in stopped_at_each_border(stop, collect, prepare, everywhere=True):
        project.dvc(*collect)
        there, wanted = served(), contents(project)
        assert_objects(there, wanted)
        objects = {path for path in there if path.startswith("files/md5/") and not path.endswith(".dir")}
        assert len(objects) == len(set(wanted.values()))
        assert "up to date" in project.dvc("push").out
        assert_pulled(project, tmp_path / "clone")


@pytest.mark.slow
def test_a_local_folder_beside_the_hub_gets_all_too(make, stop, tmp_path) -> None:
    """What DVC notes is written whole for every remote of a project that has one on the Hub."""
    store = tmp_path / "store"

    def prepare() -> Any:
        project = make(REMOTES["objects"])
        project.dvc("remote", "add", "folder", str(store))
        return project

    for project in stopped_at_each_border(stop, ("push", "--remote", "folder"), prepare):
        project.dvc("push", "--remote", "folder")
        there = {
            path.relative_to(store).as_posix(): path.read_bytes()
            for path in store.rglob("*")
            if path.is_file()
        }
        assert_objects(there, contents(project))


@pytest.mark.slow
def test_without_its_hook_a_stopped_push_is_not_completed(fails_without) -> None:
    """The walk sees what DVC makes of half a list."""
    test = test_a_push_that_ends_anywhere_is_completed_by_the_next
    fails_without("SQLiteTrie._traverse", test, stop="SIGKILL", mode="objects")
