"""Checkpoints on a Hub of the test's own, and pins that name them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from minihub.testing import Hub

FOREIGN = ("HF_", "BEATS_", "PYTEST_", "COV_", "HUGGING", "DVC_")


@dataclass
class Published:
    """A repository with one checkpoint, and its pin."""

    hub: Hub
    token: str
    folder: Path
    repo_id: str
    commit: str
    data: bytes
    pin: Path

    @property
    def cache(self) -> Path:
        return self.folder / "home" / "hub"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def env(self, **more: str) -> dict[str, str]:
        """The environment of somebody who has this pin and an empty cache."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        return inherited | {
            "HOME": str(self.folder / "user"),
            "HF_HOME": str(self.folder / "home"),
            "HF_ENDPOINT": self.hub.endpoint,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
            "BEATS_PINS": str(self.pin),
            **more,
        }

    def leftovers(self) -> list[Path]:
        return sorted(self.cache.rglob("*.incomplete"))


def upload(hub: Hub, token: str, repo_id: str, files: dict[str, bytes], repo_type: str = "dataset") -> str:
    """One commit for each file; returns the last commit."""
    api = HfApi(endpoint=hub.endpoint, token=token)
    api.create_repo(repo_id, repo_type=repo_type, exist_ok=True)
    for path, data in files.items():
        try:
            api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo_id, repo_type=repo_type)
        except ValueError as error:
            # The commit is made, but 0.34 cannot read the address of another Hub in the answer.
            if "HF ID" not in str(error):
                raise
    return str(api.repo_info(repo_id, repo_type=repo_type).sha)


def import_pin(path: Path, place: str, data: bytes, commit: str, endpoint: str = "", **meta: object) -> Path:
    """The form that `dvc import-url --no-download` writes."""
    document = {
        "deps": [
            {
                "path": place,
                "etag": hashlib.sha256(data).hexdigest(),
                "version_id": commit,
                "size": len(data),
            }
        ],
        "outs": [{"path": place.rpartition("/")[2]}],
        "meta": {**({"endpoint": endpoint} if endpoint else {}), **meta},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def publish(hub: Hub, folder: Path, size: int = 300_000, name: str = "small") -> Published:
    """A dataset `alice/beats` that holds one file of random bytes, pinned by commit and digest."""
    token = hub.user("alice")
    data = os.urandom(size - 1) + b"."  # tests damage it by another last byte
    commit = upload(hub, token, "alice/beats", {f"{name}.pt": data})
    place = f"hf://datasets/alice/beats/{name}.pt"
    pin = import_pin(folder / f"{name}.dvc", place, data, commit, hub.endpoint)
    hub.requests.clear()
    return Published(hub, token, folder, "alice/beats", commit, data, pin)


def dvc_folder(published: Published, files: dict[str, bytes], *, branch: str = "") -> Path:
    """A repository as `dvc add checkpoints/` and `dvc push` leave it, without DVC."""
    rows = [{"md5": hashlib.md5(data).hexdigest(), "relpath": name} for name, data in sorted(files.items())]
    listing = json.dumps(rows).encode()
    md5 = hashlib.md5(listing).hexdigest()
    objects = {f"files/md5/{row['md5'][:2]}/{row['md5'][2:]}": files[row["relpath"]] for row in rows}
    objects[f"files/md5/{md5[:2]}/{md5[2:]}.dir"] = listing
    upload(published.hub, published.token, "alice/pushed", objects)
    clone = published.folder / "clone"
    (clone / ".dvc").mkdir(parents=True)
    config = f"[core]\n    remote = huggingface\n['remote \"huggingface\"']\n    url = hf://datasets/alice/pushed{branch}\n"
    (clone / ".dvc" / "config").write_text(
        f"{config}    publish = checkpoints\n    endpointurl = {published.hub.endpoint}\n"
    )
    pin = clone / "checkpoints.dvc"
    pin.write_text(
        f"outs:\n- md5: {md5}.dir\n  size: 1\n  nfiles: {len(rows)}\n  hash: md5\n  path: checkpoints\n"
    )
    return pin


def beats(published: Published, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The `beats` command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "beats_trainer", *arguments],
        env=published.env(**env),
        cwd=published.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
