"""Two requests at the same time, one taking away what the other works on: an answer always, a 500 never."""

import hashlib
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from minihub.names import RepoName
from minihub.testing import Hub, serve
from minihub.xet.hashes import to_hex
from minihub.xet.shards import FileInfo

from .asking import Answer, ask, file
from .stored import shard_of, xorb_of

ROUNDS = int(os.environ.get("MINIHUB_RACES", "3"))
CONTENT = b"large" * 50_000
OID = hashlib.sha256(CONTENT).hexdigest()
HEADER = {"key": "header", "value": {"summary": "s"}}
FILES = [file(f"d/{i}", "x" * 2000) for i in range(60)]

Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with serve(tmp_path_factory.mktemp("races")) as running:
        running.user("alice")
        yield running


@pytest.fixture
def asked(hub: Hub) -> Ask:
    token = hub.token("alice")

    def request(method: str, path: str, body: object = None) -> Answer:
        return ask(hub.endpoint, method, path, body, token)

    return request


def lines(*operations: object) -> bytes:
    return "\n".join(map(json.dumps, (HEADER, *operations))).encode()


WORKS: dict[str, Callable[[Ask], Answer]] = {
    "a commit": lambda ask: ask("POST", "/api/models/alice/m/commit/main", lines(*FILES)),
    "a proposal": lambda ask: ask("POST", "/api/models/alice/m/commit/main?create_pr=1", lines(*FILES)),
    "a branch": lambda ask: ask("POST", "/api/models/alice/m/branch/dev", {}),
    "a tag": lambda ask: ask("POST", "/api/models/alice/m/tag/main", {"tag": "t", "message": "m"}),
    "a squash": lambda ask: ask("POST", "/api/models/alice/m/super-squash/main", {}),
    "a pull request": lambda ask: ask("POST", "/api/models/alice/m/discussions", {"pullRequest": True}),
    "settings": lambda ask: ask("PUT", "/api/models/alice/m/settings", {"private": True, "gated": "auto"}),
    "a listing": lambda ask: ask("GET", "/api/models/alice/m/tree/main?recursive=1&expand=1"),
    "facts": lambda ask: ask("GET", "/api/models/alice/m?blobs=1"),
    "the log": lambda ask: ask("GET", "/api/models/alice/m/commits/main"),
    "references": lambda ask: ask("GET", "/api/models/alice/m/refs?include_prs=1"),
    "a page": lambda ask: ask("GET", "/alice/m"),
    "a download": lambda ask: ask("GET", "/alice/m/resolve/main/.gitattributes"),
    "a clone": lambda ask: ask("GET", "/alice/m/info/refs?service=git-upload-pack"),
    "a forgetting": lambda ask: ask(
        "POST", "/api/models/alice/m/lfs-files/batch", {"deletions": {"sha": [OID], "rewriteHistory": True}}
    ),
    "a move": lambda ask: ask("POST", "/api/repos/move", {"fromRepo": "alice/m", "toRepo": "alice/n"}),
    "a creation": lambda ask: ask("POST", "/api/repos/create", {"name": "m"}),
}


def upload(ask: Ask) -> Answer:
    wanted = {"operation": "upload", "objects": [{"oid": OID, "size": len(CONTENT)}]}
    batch = ask("POST", "/alice/m.git/info/lfs/objects/batch", wanted)
    actions = batch.json()["objects"][0].get("actions") if batch.status == 200 else None
    if not actions:
        return batch
    return ask("PUT", "/alice" + actions["upload"]["href"].partition("/alice")[2], CONTENT)


WORKS["an upload"] = upload


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("rival", ["a deletion", "a move", "itself"])
def test_what_another_request_takes_away_is_not_found_and_no_failure(
    hub: Hub, asked: Ask, work: str, rival: str
) -> None:
    rivals: dict[str, Callable[[Ask], Answer]] = {
        "a deletion": lambda ask: ask("DELETE", "/api/repos/delete", {"name": "m"}),
        "a move": WORKS["a move"],
        "itself": WORKS[work],
    }
    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            asked("POST", "/api/repos/create", {"name": "m"})
            asked("POST", "/api/models/alice/m/commit/main", lines(*FILES[:20]))
            pair = (WORKS[work], rivals[rival])
            first, second = pool.map(lambda one: one(asked), pair if number % 2 else reversed(pair))
            for answer in (first, second):
                assert answer.status < 500, answer.body
                assert answer.status != 400, answer.body
            for name in ("m", "n"):
                asked("DELETE", "/api/repos/delete", {"name": name})
    assert hub.state.repos.find(RepoName("model", "alice", "m")) is None
    assert not list(hub.state.repos.folder.iterdir())


def halves(hub: Hub, path: str, body: bytes, token: str, between: Callable[[], object], method: str) -> int:
    """The status of a request whose second half is sent after something else has happened."""
    place = urlsplit(hub.endpoint)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    try:
        connection.putrequest(method, path)
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders(body[: len(body) // 2])
        time.sleep(0.3)  # until the Hub waits for the rest
        between()
        connection.send(body[len(body) // 2 :])
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["commit", "proposal", "large file", "xorb", "shard", "clone"])
def test_what_goes_while_a_body_arrives_is_not_found(hub: Hub, asked: Ask, kind: str) -> None:
    """Certain, where the races above need luck."""
    asked("POST", "/api/repos/create", {"name": "m"})
    token = hub.token("alice")
    ticket = asked("GET", "/api/models/alice/m/xet-write-token/main").json()["accessToken"]
    wanted = {"operation": "upload", "objects": [{"oid": OID, "size": len(CONTENT)}]}
    batch = asked("POST", "/alice/m.git/info/lfs/objects/batch", wanted).json()
    address = batch["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.endpoint)
    xorb, hash_ = xorb_of(os.urandom(90_000))
    requests = {
        "commit": ("POST", "/api/models/alice/m/commit/main", lines(*FILES), token),
        "proposal": ("POST", "/api/models/alice/m/commit/main?create_pr=1", lines(*FILES), token),
        "large file": ("PUT", address, CONTENT, ""),
        "xorb": ("POST", f"/v1/xorbs/default/{to_hex(hash_)}", xorb, ticket),
        "shard": ("POST", "/v1/shards", shard_of(FileInfo(bytes(32))), ticket),
        "clone": ("POST", "/alice/m/git-upload-pack", b"0000", token),
    }
    method, path, body, credential = requests[kind]
    status = halves(
        hub, path, body, credential, lambda: asked("DELETE", "/api/repos/delete", {"name": "m"}), method
    )
    assert status == 404
    assert not list(hub.state.drafts.glob("*"))
    assert asked("GET", "/api/models/alice/m").status == 404
