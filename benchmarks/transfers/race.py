"""The same content sent, then fetched, by one way after another, round after round.

Each way has a Hub of its own in each round: one that has the content already spares whoever comes second
the upload, since Xet knows a chunk whichever repository it came with.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from transfers import client, s3
from transfers.hub import OWNER, Hub, hub_process
from transfers.program import Taken, bare_env, run
from transfers.project import Project

OURS = "dvc-hf"
THEIRS = {"push": "hf upload", "pull": "snapshot_download"}
S3 = "dvc-s3"
FOLDER = "dvc, a folder"  # DVC's own share: the same command to a remote on the same disk
NAIVE = "HfFileSystem"
# What either takes before it moves a byte, for whoever looks for the cause of a ratio.
START = {OURS: "dvc starts", "client": "the client starts"}
REPO = f"{OWNER}/data"
_numbers = itertools.count()


@dataclass
class Race:
    """One tree, and the ways it travels.

    Args:
        tree: a file or folder.
        folder: for projects, homes and clones.
        s3: address of an S3 server, "" without one.
        naive: a smaller folder for HfFileSystem, None where it does not take part.
    """

    tree: Path
    folder: Path
    s3: str = ""
    naive: Path | None = None
    times: dict[str, dict[str, list[Taken]]] = field(
        default_factory=lambda: {"push": {}, "pull": {}, "start": {}}
    )

    def run(self, rounds: int) -> dict[str, Any]:
        """All rounds; the order of the ways turns."""
        self.project = self._project("project", (sys.executable, "-m", "dvc"))
        ways = [self._dvc_hf, self._client, self._dvc_folder]
        if self.s3:
            self.project_s3 = self._project("project-s3", (str(s3.CLIENT), "-m", "dvc"))
            ways.append(self._dvc_s3)
        if self.naive:
            ways.append(self._naively)
        for number in range(rounds):
            for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                way()
        return self._report()

    def _project(self, name: str, dvc: tuple[str, ...]) -> Project:
        project = Project(self.folder / name, dvc)
        project.start()
        target = project.folder / "data"
        (shutil.copytree if self.tree.is_dir() else shutil.copy)(self.tree, target)
        project.add("data")
        return project

    def _dvc_hf(self) -> None:
        with self._hub() as hub:
            self.project.remote(url=f"hf://datasets/{REPO}")
            self._dvc(OURS, self.project, hub.env)

    def _dvc_s3(self) -> None:
        bucket = f"bucket-{next(_numbers)}"
        s3.make_bucket(self.s3, bucket)
        self.project_s3.remote(url=f"s3://{bucket}", endpointurl=self.s3)
        self._dvc(S3, self.project_s3, lambda _: s3.KEYS)

    def _dvc_folder(self) -> None:
        with self._home() as place:
            self.project.remote(url=str(place))
            self._dvc(FOLDER, self.project, lambda _: {})

    def _dvc(self, way: str, project: Project, env: Any) -> None:
        with self._home() as home:
            self._took("push", way, project.run("push", "--quiet", home=home, **env(home)))
        clone = project.clone(self.folder / "clone")
        with self._home() as home:
            self._took("pull", way, clone.run("pull", "--quiet", home=home, **env(home)))
        assert (clone.folder / "data").exists()
        if way == OURS:
            with self._home() as home:
                self._took("start", START[OURS], clone.run("status", "--quiet", home=home))
        shutil.rmtree(clone.folder)

    def _client(self) -> None:
        hf = Path(sys.executable).with_name("hf")
        with self._hub() as hub:
            with self._home() as home:
                self._took(
                    "start", START["client"], run([hf, "version"], home, bare_env(home) | hub.env(home))
                )
            with self._home() as home:
                command = [hf, "upload", REPO, self.tree, "--type", "dataset"]
                self._took("push", THEIRS["push"], run(command, home, bare_env(home) | hub.env(home)))
            with self._home() as home:
                command = [sys.executable, client.__file__, "snapshot_download", REPO, home / "cache"]
                self._took("pull", THEIRS["pull"], run(command, home, bare_env(home) | hub.env(home)))

    def _naively(self) -> None:
        with self._hub() as hub, self._home() as home:
            command = [sys.executable, client.__file__, "upload_naively", REPO, str(self.naive)]
            taken = run(command, home, bare_env(home) | hub.env(home))
            self._took("push", NAIVE, replace(taken, seconds=float(taken.output.split()[-1])))

    @contextmanager
    def _hub(self) -> Iterator[Hub]:
        """A Hub with one empty repository."""
        folder = self.folder / f"hub-{next(_numbers)}"
        with hub_process(folder) as hub:
            HfApi(endpoint=hub.endpoint, token=hub.token).create_repo(REPO, repo_type="dataset")
            yield hub
        shutil.rmtree(folder, ignore_errors=True)

    def _home(self) -> _Home:
        return _Home(self.folder / f"home-{next(_numbers)}")

    def _took(self, what: str, way: str, taken: Taken) -> None:
        self.times[what].setdefault(way, []).append(taken)

    def _report(self) -> dict[str, Any]:
        return {what: list(self._rows(what, times)) for what, times in self.times.items()}

    def _rows(self, what: str, times: dict[str, list[Taken]]) -> Iterator[dict[str, Any]]:
        for way, taken in times.items():
            scale = count(self.tree) / count(self.naive) if way == NAIVE and self.naive else 1.0
            ours = times.get(OURS, times.get(START[OURS], taken))
            pairs = list(zip(ours, taken, strict=True))
            yield {
                "what": what,
                "way": way,
                "seconds": statistics.median(one.seconds for one in taken) * scale,
                "processor_s": statistics.median(one.processor_s for one in taken) * scale,
                "all_seconds": [one.seconds for one in taken],
                "extrapolated_by": scale,
                "ours_to_it": statistics.median(one.seconds / (it.seconds * scale) for one, it in pairs),
                "peak_mb": max(one.peak_mb for one in taken),
            }


class _Home:
    """A folder that goes when the context ends: no run finds caches of another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Path:
        self.folder.mkdir(parents=True)
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def count(tree: Path) -> int:
    """Files of a tree."""
    return 1 if tree.is_file() else sum(file.is_file() for file in tree.rglob("*"))
