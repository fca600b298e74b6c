"""What a Hub says is read to a bound, unpacked, and in any shape: the worst is a command that fails."""

import gzip
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dvc_hf import masks
from dvc_hf.hub import answers
from dvc_hf.hub.credentials import LOGIN
from dvc_hf.hub.errors import RejectedError, is_transient
from dvc_hf.hub.location import Location
from dvc_hf.hub.repo import RepoClient
from hostile import CHUNK, MOST_SENT, Answer, HostileServer, endless, plain, serve_hostile
from minihub.testing import Hub

TOKEN = "hf_" + "Ab1" * 6


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.setattr("dvc_hf.hub.retry.WAITS_S", (0.0,) * 2)
    monkeypatch.setattr(answers, "LARGEST_ANSWER", 1_000_000)
    with serve_hostile() as server:
        yield server


def client_of(server: HostileServer) -> RepoClient:
    return RepoClient(Location("dataset", "o/n"), endpoint=server.address, credential=LOGIN, create=None)


def refusing(handler: Any) -> None:
    """A refusal whose explanation goes on and on."""
    handler.begin(403, Transfer_Encoding="chunked")
    while handler.server.sent < MOST_SENT:
        handler.send(b"%x\r\n" % CHUNK + b"a" * CHUNK + b"\r\n")


def leading(to: str) -> Answer:
    def answer(handler: Any) -> None:
        handler.begin(307, Location=to or handler.path, Content_Length=0)

    return answer


def bomb(status: int) -> Answer:
    def answer(handler: Any) -> None:
        packed = gzip.compress(b'"' + bytes(50_000_000) + b'"')
        handler.begin(status, Content_Encoding="gzip", Content_Length=len(packed))
        handler.send(packed)

    return answer


@pytest.mark.parametrize("ask", ["head", "entries", "tree"])
def test_a_listing_without_an_end_is_left(server: HostileServer, ask: str) -> None:
    server.answer = endless
    client = client_of(server)
    question = {
        "head": client.head,
        "entries": lambda: client.entries(["a"]),
        "tree": lambda: client.tree(""),
    }
    with pytest.raises(RejectedError, match="expected at most 1000000 bytes, got more"):
        question[ask]()
    assert server.sent < MOST_SENT


DESCRIBED = {
    "/api/datasets/alice/resolve/tree/main": True,
    "/hub/api/models/alice/resolver/paths-info/main": True,
    "/datasets/alice/d.git/info/lfs/objects/batch": True,
    "/datasets/alice/d/resolve/main/api/large.bin": False,
    "/api/resolve-cache/datasets/alice/d/0/a.json": False,
    "/buckets/alice/b/resolve/api/large.bin": False,
    "/datasets/alice/d.git/info/lfs/objects/verify": False,
}


@pytest.mark.parametrize(("path", "is_described"), DESCRIBED.items())
def test_the_names_in_a_path_do_not_make_a_listing_a_file_or_a_file_a_listing(
    path: str, is_described: bool
) -> None:
    assert answers._is_described(path) is is_described


def test_a_refusal_without_an_end_is_a_refusal_in_few_words(server: HostileServer) -> None:
    server.answer = refusing
    with pytest.raises(Exception, match="does not allow it") as caught:
        client_of(server).head()
    assert len(str(caught.value)) < 2_000
    assert server.sent < MOST_SENT


def test_a_packed_listing_is_refused_unread(server: HostileServer) -> None:
    server.answer = bomb(200)
    with pytest.raises(RejectedError, match="got one packed as 'gzip'"):
        client_of(server).head()


def test_a_packed_refusal_is_not_unfolded(server: HostileServer) -> None:
    server.answer = bomb(403)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Exception, match="does not allow it"):
        client_of(server).head()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


@pytest.mark.parametrize(
    "said",
    [
        b"null",
        b"1" * 10_000,
        b"[" * 500_000,
        b'[1, "x", null, {}]',
        b"\xff\xfe<html>",
        b'{"sha": {"x": [1]}}',
        b'"\x1b[2J"',
    ],
    ids=["null", "number", "deep", "mixed", "page", "types", "text"],
)
@pytest.mark.parametrize("ask", ["head", "entries"])
def test_an_answer_of_another_shape_is_said_to_be_no_hubs(
    server: HostileServer, ask: str, said: bytes
) -> None:
    server.answer = plain(said)
    client = client_of(server)
    with pytest.raises(Exception, match=r"something else than a Hub|commit hash|cannot") as caught:
        client.head() if ask == "head" else client.entries(["a"])
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("to", ["", "file:///etc/passwd", "http://[::1"])
def test_an_answer_that_leads_nowhere_is_asked_for_once(server: HostileServer, to: str) -> None:
    server.answer = leading(to)
    with pytest.raises(Exception, match="leads nowhere") as caught:
        client_of(server).head()
    assert not is_transient(caught.value)
    assert len(server.ranges) <= 21  # as many redirects as the client follows, and no second try


@pytest.mark.parametrize("text", ["a" * 65_536, TOKEN[:-1] * 3_000, "hf_" * 20_000, "http://" * 9_000])
def test_a_long_word_is_masked_in_no_time(text: str) -> None:
    masks.remember_secret(TOKEN)
    started = time.process_time()
    masks.mask_secrets(text)
    assert time.process_time() - started < 2  # it took minutes


def test_a_folder_whose_listing_cannot_be_read_is_not_called_in_sync(
    make_project, repo: str, hub: Hub
) -> None:
    project = make_project()
    project.write("data/a.bin", b"\0a")
    project.dvc("add", "data")
    project.dvc("push")
    project.run("rm", "-rf", ".dvc/cache")
    hub.fail("*", "*", status=403, times=99)
    refused = project.dvc("status", "--cloud", ok=False)
    hub.recover()
    assert "does not allow it" in refused.err
    assert "in sync" not in refused.out


def test_what_fails_for_good_is_no_surprise_and_is_waited_for_once(make_project, repo: str, hub: Hub) -> None:
    project = make_project()
    project.write("data/a.bin", b"\0a")
    project.dvc("add", "data")
    project.dvc("push")
    project.run("rm", "-rf", ".dvc/cache", "data")
    hub.requests.clear()
    hub.fail("GET", "*/resolve/*", status=503, times=99)
    started = time.monotonic()
    script = (
        "import sys, dvc_hf.hub.retry as r; r.WAITS_S = (0.5, 0.5); r.IN_VAIN_AFTER_S = 0.9;"
        "from dvc.cli import main; sys.exit(main(['pull']))"
    )
    failed = project.run(sys.executable, "-c", script, ok=False)
    hub.recover()
    assert "unexpected error" not in failed.text
    assert "the Hub answered 503" in failed.err
    assert time.monotonic() - started < 60
    asked = [record for record in hub.requests if "/resolve/" in record.path]
    assert len(asked) < 3 * 5  # DVC asks for a listing five times
