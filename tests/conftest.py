"""People at terminals: every test starts from an empty home, without the variables of the one who runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = ROOT / "beats-trainer" / "tests" / "golden" / "tiny"
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

    def make(name: str = "somebody", **variables: str) -> Terminal:
        folder = tmp_path / name
        (folder / "home").mkdir(parents=True)
        (folder / "work").mkdir()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        own = {
            "HOME": str(folder / "home"),
            "USERPROFILE": str(folder / "home"),
            "PATH": os.pathsep.join([sysconfig.get_path("scripts"), inherited.get("PATH", "")]),
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "DVC_NO_ANALYTICS": "1",
            "CI": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": f"{name}@example.org",
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": f"{name}@example.org",
        }
        return Terminal(folder / "work", inherited | own | variables)

    return make


@pytest.fixture
def project(newcomer, hub):
    """A maintainer's git repository with the script of this one and two small faithful checkpoints."""
    token = hub.user("ninanor")
    maintainer = newcomer("maintainer", HF_TOKEN=token, HF_ENDPOINT=hub.endpoint)
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
