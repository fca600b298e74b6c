"""A project of DVC's in a folder, driven by the real command line, beside a real Hub."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from huggingface_hub import HfApi
from huggingface_hub.utils import get_session
from minihub.testing import Hub

sys.path.append(str(Path(__file__).parent))  # contents.py and hostile.py, for the tests in the rooms

from contents import noise

REPO = "alice/checkpoints"
BUCKET = "alice/store"
URL = f"hf://datasets/{REPO}"


@dataclass
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Forks:
    """Commands of DVC's, each a process of its own, forked from one that has imported DVC already.

    That takes 0.15 s of a processor where a Python of its own takes 0.9 s. Where a process cannot be forked
    safely, each command starts a Python, as users do.
    """

    IS_SAFE = sys.platform == "linux"
    READ_LATE = ("DVC_SITE_CACHE_DIR",)  # variables that no import reads

    def __init__(self) -> None:
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def run(
        self,
        arguments: tuple[str, ...],
        folder: Path,
        env: dict[str, str],
        timeout: float = 240,
        before: str = "",
    ) -> Done:
        """Run a command; `before` is Python that its process runs first."""
        if not self.IS_SAFE:
            script = f"{before}\nimport sys\nfrom dvc.cli import main\nsys.exit(main(sys.argv[1:]))"
            return run((sys.executable, "-c", script, *arguments), folder, env, timeout)
        server = self._server(env)
        with tempfile.TemporaryDirectory() as streams:
            out, err = Path(streams, "out"), Path(streams, "err")
            order = {"argv": arguments, "cwd": str(folder), "env": env, "out": str(out), "err": str(err)}
            server.stdin.write(json.dumps({**order, "before": before}).encode() + b"\n")
            server.stdin.flush()
            pid = json.loads(server.stdout.readline())["pid"]
            timer = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
            timer.start()
            status = json.loads(server.stdout.readline())["status"]
            timer.cancel()
            return Done(status, out.read_text(), err.read_text())

    def _server(self, env: dict[str, str]) -> Any:
        key = json.dumps({name: env[name] for name in sorted(env) if name not in self.READ_LATE})
        if key not in self._servers:
            command = [sys.executable, str(Path(__file__).with_name("forks.py"))]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._servers[key] = subprocess.Popen(command, env=env, **pipes)
        return self._servers[key]

    def close(self) -> None:
        for server in self._servers.values():
            server.communicate()


def run(command: tuple[str, ...], folder: Path, env: dict[str, str], timeout: float) -> Done:
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Project:
    """A folder with git and DVC in it."""

    def __init__(self, folder: Path, env: dict[str, str], forks: Forks | None = None) -> None:
        self.folder = folder
        self.env = env
        self.forks = forks

    def run(self, *command: str, ok: bool | None = True, timeout: float = 240, **env: str) -> Done:
        return self._judged(command, run(command, self.folder, {**self.env, **env}, timeout), ok)

    def dvc(self, *arguments: str, ok: bool | None = True, before: str = "", **env: str) -> Done:
        """Run a command of DVC's; with variables of its own it starts a Python of its own."""
        if self.forks is None or env:
            return self.run(sys.executable, "-m", "dvc", *arguments, ok=ok, **env)
        return self._judged(arguments, self.forks.run(arguments, self.folder, self.env, before=before), ok)

    @staticmethod
    def _judged(command: tuple[str, ...], result: Done, ok: bool | None) -> Done:
        if ok is not None:
            assert (result.status == 0) is ok, f"{command}: {result.status}\n{result.text}"
        return result

    def git(self, *arguments: str) -> Done:
        return self.run("git", *arguments)

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def commit(self, message: str = "a change") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def clone(self, folder: Path) -> "Project":
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        env = {**self.env, "DVC_SITE_CACHE_DIR": str(folder.parent / f"site-{folder.name}")}
        return Project(folder, env, self.forks)


@pytest.fixture
def bare_env(tmp_path: Path) -> dict[str, str]:
    """An environment in which no one is logged in anywhere."""
    kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL")
    who = {"NAME": "Alice", "EMAIL": "alice@example.org"}
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()},
        "HOME": str(tmp_path / "home"),
        "USERPROFILE": str(tmp_path / "home"),
        "HF_HOME": str(tmp_path / "home" / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
        "NO_PROXY": "127.0.0.1",
        "PYTHONWARNINGS": "default",
    }


@pytest.fixture
def token(hub: Hub) -> str:
    return hub.user("alice")


@pytest.fixture
def env(bare_env: dict[str, str], hub: Hub, token: str) -> dict[str, str]:
    """Alice is logged in, and content travels through LFS."""
    return {**bare_env, "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1"}


@pytest.fixture
def api(hub: Hub, token: str, monkeypatch: pytest.MonkeyPatch) -> HfApi:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    return HfApi(endpoint=hub.endpoint, token=token)


@pytest.fixture
def repo(api: HfApi) -> str:
    """Alice's dataset repository, empty."""
    api.create_repo(REPO, repo_type="dataset")
    return REPO


@pytest.fixture
def forks() -> Iterator[Forks]:
    """Processes that fork DVC's commands, gone after the test."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def make_project(tmp_path: Path, env: dict[str, str], forks: Forks) -> Callable[..., Project]:
    """Makes a project with a remote and its options."""

    def make(url: str = URL, folder: str = "project", **options: str) -> Project:
        (tmp_path / folder).mkdir()
        project = Project(tmp_path / folder, env, forks)
        project.git("init", "--quiet")
        lines = [f"    {name} = {value}" for name, value in {"url": url, **options}.items()]
        project.write(
            ".dvc/config", "\n".join(["[core]", "    remote = hub", "['remote \"hub\"']", *lines, ""])
        )
        project.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
        return project

    return make


@pytest.fixture
def project(make_project: Callable[..., Project], repo: str) -> Project:
    """A project whose remote is Alice's repository."""
    return make_project()


@pytest.fixture
def publishing(make_project: Callable[..., Project], repo: str) -> Project:
    """A project whose folder ``checkpoints`` is shown: two checkpoints and a card."""
    project = make_project(publish="checkpoints")
    project.write("checkpoints/BEATs.pt", noise(200_000, 1))
    project.write("checkpoints/openbeats.pt", noise(300_000, 2))
    project.write("checkpoints/README.md", "---\nlicense: mit\n---\n# Checkpoints\n")
    project.dvc("add", "checkpoints")
    return project


@pytest.fixture
def names(api: HfApi) -> Callable[..., set[str]]:
    """The plain names in a repository: all files but DVC's objects and the Hub's own."""

    def list_names(repo: str = REPO, repo_type: str = "dataset", revision: str | None = None) -> set[str]:
        files = api.list_repo_files(repo, repo_type=repo_type, revision=revision)
        return {file for file in files if not file.startswith("files/") and file != ".gitattributes"}

    return list_names


class Remote:
    """Where a project pushes to, as anyone sees it: Alice's dataset repository, or a bucket of hers."""

    def __init__(self, api: HfApi, kind: str) -> None:
        self.api, self.in_bucket = api, kind == "bucket"
        self.url = f"hf://buckets/{BUCKET}" if self.in_bucket else URL
        if self.in_bucket:
            api.create_bucket(BUCKET)

    def upload(self, path: str, content: bytes) -> None:
        if self.in_bucket:
            self.api.batch_bucket_files(BUCKET, add=[(content, path)])
        else:
            self.api.upload_file(
                path_or_fileobj=content, path_in_repo=path, repo_id=REPO, repo_type="dataset"
            )

    def read_all(self) -> dict[str, bytes]:
        """All files; the Hub's own left out."""
        base = f"buckets/{BUCKET}/resolve" if self.in_bucket else f"datasets/{REPO}/resolve/main"
        headers = {"Authorization": f"Bearer {self.api.token}"}
        return {
            path: get_session()
            .get(f"{self.api.endpoint}/{base}/{quote(path)}", headers=headers, timeout=60)
            .content
            for path in self._paths()
            if path != ".gitattributes"
        }

    def _paths(self) -> list[str]:
        if not self.in_bucket:
            return self.api.list_repo_files(REPO, repo_type="dataset")
        return [i.path for i in self.api.list_bucket_tree(BUCKET, recursive=True) if i.type == "file"]


@pytest.fixture
def make_remote(api: HfApi, repo: str) -> Callable[..., Remote]:
    """Makes a bucket where that is the kind; the repository is there."""
    return lambda kind="repository": Remote(api, kind)


@pytest.fixture
def served(make_remote: Callable[..., Remote]) -> Callable[[], dict[str, bytes]]:
    """All files of Alice's repository, as anyone gets them; the Hub's own left out."""
    return make_remote().read_all


@pytest.fixture
def commits(api: HfApi) -> Callable[..., int]:
    """How many commits a repository has beside its first."""

    def count(repo: str = REPO, repo_type: str = "dataset", revision: str | None = None) -> int:
        return len(api.list_repo_commits(repo, repo_type=repo_type, revision=revision)) - 1

    return count


@pytest.fixture
def without_hooks(env: dict[str, str], tmp_path: Path) -> Callable[..., None]:
    """Lets the commands that follow run as with a DVC that lacks some of the names that we wrap."""

    def lack(*names: str) -> None:
        (tmp_path / "lacking").mkdir()
        script = (
            "from dataclasses import replace\n"
            "from dvc_hf.hooks import table\n"
            f"names = {names!r} or [hook.name for hook in table.HOOKS]\n"
            "table.HOOKS = tuple(replace(hook, name=hook.name + '_gone') if hook.name in names else hook\n"
            "                    for hook in table.HOOKS)\n"
        )
        (tmp_path / "lacking" / "sitecustomize.py").write_text(script)
        env["PYTHONPATH"] = str(tmp_path / "lacking")

    return lack


@pytest.fixture
def small_commits(env: dict[str, str], tmp_path: Path) -> None:
    """Lets the commands that follow put one or two changes into a commit."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "sitecustomize.py").write_text(
        "from dvc_hf.commit import batch\nbatch.FIRST_CHANGES = batch.FEWEST_CHANGES = batch.STEP = 1\n"
    )
    env["PYTHONPATH"] = str(tmp_path / "small")


@pytest.fixture
def fails_without(request: pytest.FixtureRequest, without_hooks: Callable[..., None]) -> Callable[..., None]:
    """Asserts that a test fails where DVC lacks a name: the hook is needed, and the test sees it."""

    def check(hook: str, test: Callable[..., None], **arguments: Any) -> None:
        without_hooks(hook)
        wanted = signature(test).parameters.keys() - arguments.keys()
        with pytest.raises(AssertionError):
            test(**arguments, **{name: request.getfixturevalue(name) for name in wanted})

    return check
