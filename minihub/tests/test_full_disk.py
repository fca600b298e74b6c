"""A disk that is really full: every request says 507, and nothing is left half."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from minihub.state import State
from minihub.testing import Hub
from minihub.upkeep.fsck import check_hub

from .asking import Answer, ask, commit, file

SIZE = 4 << 20  # bytes of the small disk
CONTENT = os.urandom(300_000)
OID = hashlib.sha256(CONTENT).hexdigest()

# In a mount namespace of its own, so that nobody else sees the small disk, and it goes with the process.
INSIDE = """
mount -t tmpfs -o size={size} none "$1" || exit 77
"$0" -m minihub user add alice --dir "$1/hub" && "$0" -m minihub token alice --dir "$1/hub"
exec "$0" -m minihub serve "$1/hub" --port 0
"""


@dataclass
class SmallDisk:
    """A Hub on a disk of few bytes."""

    endpoint: str
    token: str
    folder: Path  # of the disk, as seen from here

    def fill(self) -> None:
        """Leave no byte."""
        with (self.folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))

    def free(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink()

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        return ask(self.endpoint, method, path, body, self.token)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if sys.platform != "linux" or not shutil.which("unshare"):
        pytest.skip("a small disk of one's own needs Linux and unshare")
    place = tmp_path / "disk"
    place.mkdir()
    script = INSIDE.format(size=SIZE)
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, str(place)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        token, address = process.stdout.readline().strip(), process.stdout.readline()
        if not address:
            pytest.skip(f"no small disk can be mounted here: {process.stderr.read()}")
        inside = Path(f"/proc/{process.pid}/root{place}")
        yield SmallDisk(address.removeprefix("minihub: ").strip(), token, inside)
    finally:
        process.kill()
        process.communicate()


def upload_href(disk: SmallDisk) -> str:
    asked = {"operation": "upload", "objects": [{"oid": OID, "size": len(CONTENT)}]}
    batch = disk.ask("POST", "/alice/m.git/info/lfs/objects/batch", asked).json()
    return str(batch["objects"][0]["actions"]["upload"]["href"].removeprefix(disk.endpoint))


def contents(disk: SmallDisk) -> dict[str, object]:
    """All that clients see of the Hub, except when it last changed."""
    places = (
        *("/api/models/alice/m/refs?include_prs=1", "/api/models/alice/m/tree/main?recursive=1"),
        *("/api/models/alice/m/lfs-files", "/api/buckets/alice/b/tree", "/api/models/alice/m"),
    )
    seen = {place: disk.ask("GET", place).json() for place in places}
    repos = disk.ask("GET", "/api/models").json() + disk.ask("GET", "/api/buckets/alice").json()
    return {**seen, "repos": sorted((repo["id"], repo["private"]) for repo in repos)}


def test_a_full_disk_is_told_and_nothing_is_left_half(disk: SmallDisk, tmp_path: Path) -> None:
    disk.ask("POST", "/api/repos/create", {"name": "m"})
    disk.ask("POST", "/api/buckets/alice/b", {})
    assert commit(disk.endpoint, disk.token, "alice/m", file("a.txt", "x")).status == 200
    href, before = upload_href(disk), contents(disk)
    folders = sorted(path.name for path in (disk.folder / "hub" / "repos").iterdir())
    disk.fill()
    empty = {"type": "addFile", "path": "a", "xetHash": "0" * 64}
    answers = {
        "large file": ask(disk.endpoint, "PUT", href, CONTENT),
        "commit": commit(disk.endpoint, disk.token, "alice/m", file("b.txt", "y" * 9000)),
        "repository": disk.ask("POST", "/api/repos/create", {"name": "n"}),
        "bucket": disk.ask("POST", "/api/buckets/alice/c", {}),
        "bucket's file": disk.ask("POST", "/api/buckets/alice/b/batch", json.dumps(empty).encode()),
        "settings": disk.ask("PUT", "/api/models/alice/m/settings", {"private": True, "gated": "auto"}),
        "pull request": disk.ask("POST", "/api/models/alice/m/discussions", {"pullRequest": True}),
        "branch": disk.ask("POST", "/api/models/alice/m/branch/dev", {}),
        "tag": disk.ask("POST", "/api/models/alice/m/tag/main", {"tag": "v1", "message": "one"}),
        "squash": disk.ask("POST", "/api/models/alice/m/super-squash/main", {}),
    }
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 507)
    assert all(b"disk is full" in answer.body for answer in answers.values())
    assert contents(disk) == before
    disk.free()
    assert contents(disk) == before
    assert sorted(path.name for path in (disk.folder / "hub" / "repos").iterdir()) == folders
    assert not list((disk.folder / "hub" / "drafts").iterdir())
    assert ask(disk.endpoint, "PUT", href, CONTENT).status == 200
    assert commit(disk.endpoint, disk.token, "alice/m", file("b.txt", "y" * 9000)).status == 200
    shutil.copytree(disk.folder / "hub", tmp_path / "copy")
    state = State(tmp_path / "copy")
    assert list(check_hub(state)) == []
    state.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_while_a_file_is_made_durable_is_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    token = hub.user("alice")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    href = upload_href(SmallDisk(hub.endpoint, token, hub.folder))

    def fails(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        assert ask(hub.endpoint, "PUT", href, CONTENT).status == 507
    assert not list((hub.folder / "drafts").iterdir())
    assert not list(hub.state.blobs.oids())
    assert ask(hub.endpoint, "PUT", href, CONTENT).status == 200


def test_a_full_database_is_told_and_works_again_when_there_is_room(hub: Hub) -> None:
    token = hub.user("alice")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    head = commit(hub.endpoint, token, "alice/m", file("a", "x")).json()["commitOid"]
    pages = hub.state.database.rows("PRAGMA page_count")[0][0]
    hub.state.database.rows(f"PRAGMA max_page_count = {pages}")
    names, statuses = iter(f"{i:090}" for i in range(99)), [200]
    while statuses[-1] == 200:
        statuses.append(ask(hub.endpoint, "POST", "/api/repos/create", {"name": next(names)}, token).status)
    assert statuses[-1] == 507
    made = len(ask(hub.endpoint, "GET", "/api/models", token=token).json())
    assert len(list(hub.state.repos.folder.iterdir())) == made
    hub.state.database.rows("PRAGMA max_page_count = 100000")
    assert ask(hub.endpoint, "POST", "/api/repos/create", {"name": "n"}, token).status == 200
    assert ask(hub.endpoint, "GET", "/api/models/alice/m", token=token).json()["sha"] == head


def test_a_command_on_a_full_disk_ends_with_a_sentence(disk: SmallDisk) -> None:
    disk.fill()
    command = [sys.executable, "-m", "minihub", "user", "add", "bob", "--dir", str(disk.folder / "hub")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "full" in done.stderr
    assert "Traceback" not in done.stderr
