"""Xet: the unmodified hf_xet uploads, deduplicates and downloads; strangers learn nothing."""

import hashlib
import json

from minihub.testing import Hub
from minihub.xet.hashes import from_hex, to_hex

from .asking import ask
from .conftest import Client
from .stored import shard_of

XET = {"HF_HUB_DISABLE_XET": "0"}


def stored(hub: Hub) -> int:
    return sum(path.stat().st_size for path in hub.state.cas.folder.rglob("*") if path.is_file())


def test_a_change_in_the_middle_sends_little_and_nothing_twice(client: Client, hub: Hub) -> None:
    script = """
        import random
        chance = random.Random(7)
        a = chance.randbytes(30_000_000)
        b = a[:15_000_000] + chance.randbytes(1_000_000) + a[16_000_000:]
        api.create_repo("alice/m", exist_ok=True)
        Path("f").write_bytes({"a": a, "b": b}[os.environ["WHICH"]])
        api.upload_file(repo_id="alice/m", path_in_repo="f.bin", path_or_fileobj="f")
        assert Path(hf_hub_download("alice/m", "f.bin")).read_bytes() == Path("f").read_bytes()
    """
    client(script, WHICH="a", **XET)
    first = stored(hub)
    assert 29_900_000 < first < 30_100_000
    client(script, WHICH="b", **XET)
    second = stored(hub)
    assert second - first < 1_300_000
    client(script, WHICH="a", **XET)
    assert stored(hub) == second


def test_content_that_repeats_itself_comes_back(client: Client) -> None:
    """One chunk in many terms of a file, some of which go on to the next chunk."""
    client(
        """
        again, other = os.urandom(300_000), os.urandom(300_000)
        contents = bytes(range(256)) * 4000, bytes(3_000_000), (again + other + again + again) * 3
        api.create_repo("alice/m")
        for number, content in enumerate(contents):
            Path("f").write_bytes(content)
            api.upload_file(repo_id="alice/m", path_in_repo=f"{number}.bin", path_or_fileobj="f")
            assert Path(hf_hub_download("alice/m", f"{number}.bin")).read_bytes() == content
        """,
        **XET,
    )


def test_a_fresh_client_learns_of_chunks_that_are_here(client: Client, hub: Hub, tmp_path) -> None:
    script = """
        import random
        a = random.Random(7).randbytes(20_000_000)
        api.create_repo("alice/m", exist_ok=True)
        api.upload_file(repo_id="alice/m", path_in_repo=os.environ["NAME"],
                        path_or_fileobj=a + os.environ["NAME"].encode() * 1000)
    """
    client(script, NAME="a.bin", **XET)
    first = stored(hub)
    client(script, NAME="b.bin", HF_HOME=str(tmp_path / "another home"), **XET)
    assert stored(hub) - first < 1_000_000
    assert hub.requests.count("GET", "/v1/chunks/*") >= 2


def test_clients_without_xet_get_the_same_bytes_whole_and_in_ranges(client: Client, hub: Hub) -> None:
    digest = client(
        """
        import hashlib
        content = os.urandom(3_000_000)
        api.create_repo("alice/m")
        api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=content)
        print(hashlib.sha256(content).hexdigest())
        """,
        **XET,
    )
    whole = ask(hub.endpoint, "GET", "/alice/m/resolve/main/a.bin").body
    assert hashlib.sha256(whole).hexdigest() == digest
    for start, end in ((0, 1), (123_456, 2_345_678), (2_999_999, 3_000_000)):
        part = ask(hub.endpoint, "GET", "/alice/m/resolve/main/a.bin", Range=f"bytes={start}-{end - 1}")
        assert part.status == 206
        assert part.body == whole[start:end]


def test_a_stranger_cannot_use_or_see_the_chunks_of_a_private_file(client: Client, hub: Hub) -> None:
    client(
        """
        api.create_repo("alice/secret", private=True)
        api.upload_file(repo_id="alice/secret", path_in_repo="a.bin", path_or_fileobj=os.urandom(500_000))
        """,
        **XET,
    )
    mallory = hub.user("mallory")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, mallory)
    token = ask(hub.endpoint, "GET", "/api/models/mallory/m/xet-write-token/main", token=mallory).json()
    database = hub.state.database
    chunk = to_hex(database.rows("SELECT chunk FROM shared_chunks")[0]["chunk"])
    file = to_hex(database.rows("SELECT hash FROM xet_files")[0]["hash"])
    ticket = token["accessToken"]
    assert ask(hub.endpoint, "GET", f"/v1/chunks/default/{chunk}", token=ticket).status == 404
    assert ask(hub.endpoint, "GET", f"/v1/reconstructions/{file}", token=ticket).status == 404
    own = ask(
        hub.endpoint, "GET", "/api/models/alice/secret/xet-read-token/main", token=hub.token("alice")
    ).json()["accessToken"]
    answer = ask(hub.endpoint, "GET", f"/v1/reconstructions/{file}", token=own)
    assert answer.status == 200
    url = next(iter(answer.json()["fetch_info"].values()))[0]["url"].removeprefix(hub.endpoint)
    assert ask(hub.endpoint, "GET", url[:-1] + ("0" if url[-1] != "0" else "1")).status == 403
    assert ask(hub.endpoint, "POST", f"/v1/xorbs/default/{file}", b"x", token=own).status == 403


def test_a_xorb_that_is_not_what_it_says_is_refused(hub: Hub) -> None:
    token = hub.user("alice")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    ticket = ask(hub.endpoint, "GET", "/api/models/alice/m/xet-write-token/main", token=token).json()
    for body in (b"", b"\0" * 100, b"\0\4\0\0\0\4\0\0data", b"\0\4\0\0\1\4\0\0data", b"\xff" * 64):
        answer = ask(hub.endpoint, "POST", f"/v1/xorbs/default/{'0' * 64}", body, ticket["accessToken"])
        assert answer.status == 400, json.loads(answer.body)
    assert stored(hub) == 0


def test_hashes_survive_the_way_to_text_and_back() -> None:
    raw = bytes(range(32))
    assert from_hex(to_hex(raw)) == raw
    assert to_hex(raw).startswith("0706050403020100")


def test_buckets_hold_files_that_sync(client: Client) -> None:
    client(
        """
        api.create_bucket("alice/b")
        Path("up/sub").mkdir(parents=True)
        Path("up/a.txt").write_text("words")
        Path("up/sub/b.bin").write_bytes(os.urandom(200_000))
        Path("up/empty").write_bytes(b"")
        api.sync_bucket("up", "hf://buckets/alice/b")
        api.sync_bucket("hf://buckets/alice/b", "down")
        for path in Path("up").rglob("*"):
            if path.is_file():
                assert (Path("down") / path.relative_to("up")).read_bytes() == path.read_bytes(), path
        assert HfFileSystem().cat_file("hf://buckets/alice/b/a.txt", start=1, end=3) == b"or"
        api.delete_bucket("alice/b")
        """,
        **XET,
    )


def test_a_ticket_reads_only_what_the_token_behind_it_may(client: Client, hub: Hub) -> None:
    """Not what other tokens of the same user may, and nothing that the user sent with them."""
    client(
        """
        for name in ("one", "two"):
            api.create_repo(f"alice/{name}", private=True)
            content = os.urandom(500_000)
            api.upload_file(repo_id=f"alice/{name}", path_in_repo="a.bin", path_or_fileobj=content)
        """,
        **XET,
    )
    files = {
        row["name"]: to_hex(row["file"])
        for row in hub.state.database.rows(
            "SELECT name, file FROM repo_xet_files JOIN repos ON repos.id = repo_xet_files.repo"
        )
    }
    narrow = hub.token("alice", role="fineGrained", scopes={"alice/one": ["write"]})
    ticket = ticket_for(hub, narrow, "alice/one")
    assert ask(hub.endpoint, "GET", f"/v1/reconstructions/{files['one']}", token=ticket).status == 200
    assert ask(hub.endpoint, "GET", f"/v1/reconstructions/{files['two']}", token=ticket).status == 404
    for name, status in (("one", 200), ("two", 404)):
        file = hub.state.cas.file(from_hex(files[name]))
        assert file is not None
        chunk = to_hex(hub.state.cas.xorb(file.terms[0].xorb).chunks[0].hash)
        assert ask(hub.endpoint, "GET", f"/v1/chunks/default/{chunk}", token=ticket).status == status
        shard = shard_of(file)
        assert (ask(hub.endpoint, "POST", "/v1/shards", shard, ticket).status == 200) is (name == "one")
    wide = ticket_for(hub, hub.token("alice"), "alice/one")
    assert ask(hub.endpoint, "GET", f"/v1/reconstructions/{files['two']}", token=wide).status == 200


def test_a_ticket_ends_with_what_its_token_may(client: Client, hub: Hub) -> None:
    client(
        """
        api.create_repo("alice/m")
        api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=os.urandom(500_000))
        """,
        **XET,
    )
    path = f"/v1/reconstructions/{to_hex(hub.state.database.rows('SELECT hash FROM xet_files')[0]['hash'])}"
    mallory, alice = hub.user("mallory"), hub.token("alice")
    tickets = [ticket_for(hub, who, "alice/m", kind="read") for who in ("", mallory, alice)]
    tickets += [ticket_for(hub, mallory, "alice/m", query="?create_pr=1")]

    def statuses() -> list[int]:
        return [ask(hub.endpoint, "GET", path, token=ticket).status for ticket in tickets]

    assert statuses() == [200, 200, 200, 200]
    ask(hub.endpoint, "PUT", "/api/models/alice/m/settings", {"gated": "auto"}, alice)
    assert statuses() == [401, 403, 200, 403]
    ask(hub.endpoint, "PUT", "/api/models/alice/m/settings", {"private": True}, alice)
    assert statuses() == [404, 404, 200, 404]
    assert ask(hub.endpoint, "POST", "/v1/shards", b"x", tickets[3]).status == 404
    hub.state.database.write("DELETE FROM tokens")
    assert statuses() == [404, 401, 401, 401]


def ticket_for(hub: Hub, token: str, repo: str, *, kind: str = "write", query: str = "") -> str:
    path = f"/api/models/{repo}/xet-{kind}-token/main{query}"
    ticket: str = ask(hub.endpoint, "GET", path, token=token).json()["accessToken"]
    return ticket
