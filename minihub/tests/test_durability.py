"""What a Hub promised survives: many at once, kills, restarts; and it notices what is broken."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minihub.testing import Hub, serve
from minihub.upkeep.fsck import check_hub
from minihub.upkeep.garbage import collect_garbage

from .asking import ask, commit, file
from .conftest import Client
from .crash import crash


def test_a_killed_hub_keeps_every_acknowledged_commit() -> None:
    commits, broken = crash(rounds=6, seed=1)
    assert broken == []
    assert commits > 0


def test_thirty_two_clients_commit_to_one_branch_and_nothing_is_lost(hub: Hub) -> None:
    token = hub.user("alice")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)

    def work(number: int) -> list[int]:
        return [
            commit(hub.endpoint, token, "alice/m", file(f"d{number}/{i}.txt", f"{number} {i}")).status
            for i in range(4)
        ]

    with ThreadPoolExecutor(32) as pool:
        statuses = [status for result in pool.map(work, range(32)) for status in result]
    assert set(statuses) == {200}
    tree = ask(hub.endpoint, "GET", "/api/models/alice/m/tree/main?recursive=true").json()
    assert sum(entry["type"] == "file" for entry in tree) == 1 + 32 * 4


def test_only_one_server_opens_a_folder(hub: Hub) -> None:
    from minihub.state import State

    with pytest.raises(RuntimeError, match="in use by another process"):
        State(hub.folder)


def test_fsck_names_what_is_damaged(client: Client, hub: Hub) -> None:
    client("""
        api.create_repo("alice/m")
        api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=b"content")
    """)
    assert list(check_hub(hub.state)) == []
    blob = next(path for path in hub.state.blobs.folder.rglob("*") if path.is_file())
    blob.write_bytes(b"CONTENT")
    assert [line for line in check_hub(hub.state) if blob.name in line]
    blob.unlink()
    assert any("missing" in line for line in check_hub(hub.state))


def test_fsck_names_a_damaged_xorb(client: Client, hub: Hub) -> None:
    client(
        """
        api.create_repo("alice/m")
        api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=os.urandom(300_000))
        """,
        HF_HUB_DISABLE_XET="0",
    )
    assert list(check_hub(hub.state)) == []
    xorb = next(path for path in hub.state.cas.folder.rglob("*") if path.is_file())
    content = bytearray(xorb.read_bytes())
    content[5000] ^= 1
    xorb.write_bytes(content)
    assert any(line.startswith("xorb") for line in check_hub(hub.state))


def test_gc_removes_what_no_repository_holds(client: Client, hub: Hub) -> None:
    for disabled in ("1", "0"):
        client(
            """
            for name in ("kept", "gone"):
                api.create_repo(f"alice/{name}", exist_ok=True)
                data = name.encode() * 100_000 + os.environ["HF_HUB_DISABLE_XET"].encode()
                path = f"{len(data)}.bin"
                api.upload_file(repo_id=f"alice/{name}", path_in_repo=path, path_or_fileobj=data)
            """,
            HF_HUB_DISABLE_XET=disabled,
        )
    client('api.delete_repo("alice/gone")')
    assert list(collect_garbage(hub.state)) == []  # all is young
    removed = [name.split()[0] for name, _ in collect_garbage(hub.state, grace_s=-1)]
    assert sorted(removed) == ["blob", "xorb"]
    assert list(check_hub(hub.state)) == []


def test_a_branch_that_a_killed_server_had_locked_moves_again(tmp_path: Path) -> None:
    with serve(tmp_path) as hub:
        token = hub.user("alice")
        ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    folder = next((tmp_path / "repos").iterdir())
    for name in ("refs/heads/main.lock", "packed-refs.lock", "HEAD.lock"):
        (folder / name).touch()
    with serve(tmp_path) as hub:
        assert commit(hub.endpoint, token, "alice/m", file("a", "x")).status == 200


def test_drafts_of_a_killed_server_are_swept(tmp_path: Path) -> None:
    from minihub.state import State

    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "left").write_bytes(os.urandom(10))
    State(tmp_path).close()
    assert list((tmp_path / "drafts").iterdir()) == []
