"""A folder with git and DVC in it, whose data is added once and pushed to one remote after another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from transfers.program import Taken, bare_env, run

DVC = (sys.executable, "-m", "dvc")


class Project:
    """One project of DVC's.

    Args:
        folder: where; made.
        dvc: the program, of this environment if not said.
    """

    def __init__(self, folder: Path, dvc: tuple[str, ...] = DVC) -> None:
        self.folder = folder
        self._dvc = dvc
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Begin with nothing."""
        self._git("init", "--quiet")
        (self.folder / ".dvc").mkdir()
        (self.folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
        self.remote(url="unset")

    def remote(self, **options: str) -> None:
        """Point the only remote elsewhere."""
        lines = [f"    {name} = {value}" for name, value in options.items()]
        text = "\n".join(["[core]", "    remote = there", "['remote \"there\"']", *lines, ""])
        (self.folder / ".dvc/config").write_text(text, encoding="utf-8")

    def add(self, name: str) -> None:
        """Let DVC track a file or folder, and git that it does."""
        self.run("add", "--quiet", name, home=self.folder.parent / "home-of-add")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "data")

    def run(self, *arguments: str, home: Path, **env: str) -> Taken:
        """Run a command of DVC's."""
        home.mkdir(parents=True, exist_ok=True)
        return run([*self._dvc, *arguments], self.folder, {**bare_env(home), **env})

    def clone(self, folder: Path) -> Project:
        """The same without any data."""
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", self.folder, folder], check=True)
        clone = Project(folder, self._dvc)
        shutil.copy(self.folder / ".dvc/config", folder / ".dvc/config")
        return clone

    def _git(self, *arguments: str) -> None:
        home = self.folder.parent / "home-of-git"
        home.mkdir(exist_ok=True)
        subprocess.run(["git", *arguments], cwd=self.folder, env=bare_env(home), check=True)
