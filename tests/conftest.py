"""People at terminals: every test starts from an empty home, without the variables of the one who runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from minihub.testing import serve

ROOT = Path(__file__).parents[1]
TINY = ROOT / "beats-trainer" / "tests" / "golden" / "tiny"
REPO = "ninanor/beats-checkpoints"
FOREIGN = ("HF_", "HUGGING", "DVC_", "BEATS_", "GIT_", "XDG_", "PYTEST_", "COV_")


@dataclass(frozen=True)
class Terminal:
    """A folder, an environment, and what is typed there."""

    folder: Path
    env: dict[str, str] = field(repr=False)

    def types(self, *command: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command; it must succeed, or must not where the test expects a failure."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=280, check=False
        )
        said = f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\nexit status {done.returncode}"
        assert (done.returncode != 0) == fails, said
        return done

    def at(self, folder: Path) -> Terminal:
        return replace(self, folder=folder)

    def exporting(self, **variables: str) -> Terminal:
        return replace(self, env=self.env | variables)


@pytest.fixture
def newcomer(tmp_path):
    """Makes somebody with an empty home, who stands in an empty folder of their own."""
    return partial(arrive, tmp_path)


@pytest.fixture
def project(newcomer, hub):
    """A maintainer's git repository with the script of this one and two small faithful checkpoints."""
    return begin_project(newcomer("maintainer", HF_TOKEN=hub.user("ninanor"), HF_ENDPOINT=hub.endpoint))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The recipe, followed once for all tests that only look: `(maintainer, hub)`."""
    folder = tmp_path_factory.mktemp("published")
    with serve(folder / "hub") as hub:
        variables = {"HF_TOKEN": hub.user("ninanor"), "HF_ENDPOINT": hub.endpoint}
        maintainer = begin_project(arrive(folder, "maintainer", **variables))
        HfApi(endpoint=hub.endpoint, token=maintainer.env["HF_TOKEN"]).create_repo(REPO, repo_type="dataset")
        follow_the_recipe(maintainer)
        yield maintainer, hub


@pytest.fixture(name="follow_the_recipe")
def _follow_the_recipe():
    return follow_the_recipe


def arrive(place: Path, name: str = "somebody", **variables: str) -> Terminal:
    folder = place / name
    (folder / "home").mkdir(parents=True)
    (folder / "work").mkdir()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    own = {
        "HOME": str(folder / "home"),
        "USERPROFILE": str(folder / "home"),
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), inherited.get("PATH", "")]),
        "NO_PROXY": "127.0.0.1,localhost",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DVC_NO_ANALYTICS": "1",
        "CI": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": f"{name}@example.org",
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": f"{name}@example.org",
    }
    return Terminal(folder / "work", inherited | own | variables)


def begin_project(maintainer: Terminal) -> Terminal:
    (maintainer.folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup_dvc.sh", maintainer.folder / "scripts")
    checkpoints = maintainer.folder / "checkpoints"
    checkpoints.mkdir()
    shutil.copyfile(TINY / "BEATs_iter3_plus_AS2M.pt", checkpoints / "BEATs_iter3_plus_AS2M.pt")
    shutil.copyfile(TINY / "openbeats_base_epoch_latest.pt", checkpoints / "openbeats.pt")
    origin = maintainer.folder.parent / "origin.git"
    maintainer.types("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    maintainer.types("git", "init", "--quiet", "--initial-branch", "main")
    maintainer.types("git", "remote", "add", "origin", str(origin))
    return maintainer


def follow_the_recipe(maintainer: Terminal) -> None:
    maintainer.types("bash", "scripts/setup_dvc.sh")
    maintainer.types("beats", "card", "checkpoints/")
    maintainer.types("dvc", "add", "checkpoints/")
    maintainer.types("git", "add", "checkpoints.dvc", ".gitignore", ".dvc/config", ".dvc/.gitignore")
    maintainer.types("git", "commit", "--quiet", "-m", "Add BEATs checkpoints to DVC tracking")
    maintainer.types("dvc", "push")
    maintainer.types("git", "push", "--quiet", "origin", "main")
