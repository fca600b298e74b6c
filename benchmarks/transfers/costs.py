"""What operations cost: requests, commits, bytes, memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from transfers import content
from transfers.hub import OWNER, Hub
from transfers.project import Project


def operations(hub: Hub, folder: Path, files: int) -> Iterator[dict[str, Any]]:
    """A push of many small files, one with nothing new, the status, a pull."""
    project = _project(hub, folder, f"{OWNER}/many-{files}")
    content.write_many(project.folder / "data", files)
    project.add("data")
    for command in (("push",), ("push",), ("status", "-c")):
        yield _row(hub, project, command, folder / "home")
    clone = project.clone(folder / "clone")
    yield _row(hub, clone, ("pull",), folder / "home-of-clone")


def large_file(hub: Hub, folder: Path, size: int) -> Iterator[dict[str, Any]]:
    """A push and a pull of one file."""
    project = _project(hub, folder, f"{OWNER}/large-{size}")
    content.write_noise(project.folder / "data", size, seed=7)
    project.add("data")
    yield _row(hub, project, ("push",), folder / "home")
    clone = project.clone(folder / "clone")
    yield _row(hub, clone, ("pull",), folder / "home-of-clone")


def finetuned(hub: Hub, folder: Path) -> Iterator[dict[str, Any]]:
    """A checkpoint, then a fine-tuned copy: pushed from the same machine, and from one with empty caches."""
    base, near, far = (folder / name for name in ("base.pt", "near.pt", "far.pt"))
    content.write_checkpoints(base, near, far)
    for where, tuned in (("same machine", near), ("another machine", far)):
        project = _project(hub, folder / tuned.stem, f"{OWNER}/{tuned.stem}")
        home = folder / f"home-{tuned.stem}"
        shutil.copy(base, project.folder / "base.pt")
        project.add("base.pt")
        project.run("push", "--quiet", home=home, **hub.env(home))
        shutil.copy(tuned, project.folder / "tuned.pt")
        project.add("tuned.pt")
        row = _row(hub, project, ("push",), home if tuned == near else folder / "home-elsewhere")
        yield {**row, "command": f"push, {where}", "share": row["content"] / content.size_of(tuned)}


def _project(hub: Hub, folder: Path, repo: str) -> Project:
    HfApi(endpoint=hub.endpoint, token=hub.token).create_repo(repo, repo_type="dataset")
    project = Project(folder / "project")
    project.start()
    project.remote(url=f"hf://datasets/{repo}")
    return project


def _row(hub: Hub, project: Project, command: tuple[str, ...], home: Path) -> dict[str, Any]:
    hub.log()
    taken = project.run(*command, home=home, **hub.env(home))
    return {"command": " ".join(command), **asdict(hub.log()), **asdict(replace(taken, output=""))}
