"""A file is compared while it arrives, and a body ends where it was announced to end."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc_hf.commit.repository import Account
from dvc_hf.filesystem.storage import HubStorage
from dvc_hf.hub.changes import Entry
from dvc_hf.hub.credentials import LOGIN
from dvc_hf.hub.downloads import download_file
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.location import Location
from dvc_hf.hub.promises import LEGACY, Promise, promise_of
from dvc_hf.hub.repo import RepoClient
from hostile import MOST_SENT, Answer, HostileServer, endless, plain, serve_hostile, too_long

CONTENT = b"\0content" * 1000
ENTRY = Entry("x.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), is_large=True)


def cut_in_the_middle(handler: Any) -> None:
    """Break off after some bytes each time, and go on from where one is asked to."""
    start = int((handler.headers["Range"] or "bytes=0-")[6:].rstrip("-"))
    handler.begin(206 if start else 200, Content_Length=len(CONTENT) - start)
    handler.send(CONTENT[start : start + 1500])


def cut_and_begun_anew(handler: Any) -> None:
    """Break off, then know nothing of ranges."""
    handler.begin(Content_Length=len(CONTENT))
    handler.send(CONTENT[:1500] if len(handler.server.ranges) == 1 else CONTENT)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileServer]:
    monkeypatch.setattr("dvc_hf.hub.retry.WAITS_S", (0.0,) * 2)
    with serve_hostile() as server:
        server.answer = plain(CONTENT)
        yield server


def fetch(server: HostileServer, target: Path, promise: Promise | None = None, entry: Entry = ENTRY) -> int:
    """Download, and give back what the bar shows in the end."""
    client = RepoClient(Location("dataset", "o/n"), endpoint=server.address, credential=LOGIN, create=None)
    seen: list[int] = []
    download_file(client, entry, "main", target, seen.append, promise)
    return sum(seen)


@pytest.mark.parametrize("answer", [plain(CONTENT), cut_in_the_middle, cut_and_begun_anew])
def test_a_file_arrives_whole_whatever_interrupts_it(
    server: HostileServer, tmp_path: Path, answer: Answer
) -> None:
    server.answer = answer
    promise = Promise(hashlib.md5(CONTENT).hexdigest())
    assert fetch(server, tmp_path / "x", promise) == len(CONTENT)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_what_arrived_before_an_interruption_is_not_sent_again(server: HostileServer, tmp_path: Path) -> None:
    server.answer = cut_in_the_middle
    fetch(server, tmp_path / "x")
    assert server.sent == len(CONTENT)
    assert server.ranges[:3] == [None, "bytes=1500-", "bytes=3000-"]


@pytest.mark.parametrize("answer", [endless, too_long])
def test_a_body_that_goes_on_past_its_announced_size_is_left(
    server: HostileServer, tmp_path: Path, answer: Answer
) -> None:
    server.answer = answer
    with pytest.raises(RejectedError, match="expected 8000 bytes, got more"):
        fetch(server, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert server.sent < MOST_SENT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x" * 1000])
def test_a_packed_body_is_refused_unread(server: HostileServer, tmp_path: Path, encoding: str) -> None:
    server.answer = plain(gzip.compress(CONTENT), Content_Encoding=encoding)
    with pytest.raises(RejectedError, match="expected it as it is, got one packed as") as refused:
        fetch(server, tmp_path / "x")
    assert len(str(refused.value)) < 400
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CONTENT[:-1], "expected 8000 bytes, got 7999"),
        (CONTENT[:-1] + b"x", f"expected sha256 {ENTRY.etag}, got "),
    ],
)
def test_a_damaged_file_is_not_left(server: HostileServer, tmp_path: Path, content: bytes, said: str) -> None:
    server.answer = plain(content)
    with pytest.raises(RejectedError, match=said):
        fetch(server, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_file_that_breaks_its_promise_is_not_left(server: HostileServer, tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=f"expected md5 {'0' * 32}, got"):
        fetch(server, tmp_path / "x", Promise("0" * 32))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("answer", [endless, too_long])
def test_a_read_into_memory_ends_too(server: HostileServer, monkeypatch: Any, answer: Answer) -> None:
    monkeypatch.setattr("dvc_hf.hub.bodies.UNANNOUNCED", 1000)
    monkeypatch.setattr("dvc_hf.filesystem.reading.LARGEST_LISTING", 1000)
    server.answer = answer
    storage = HubStorage(Account(server.address))
    with pytest.raises(RejectedError, match="expected at most 1000 bytes, got more"):
        storage.cat_file(f"datasets/o/n/files/md5/ab/{'0' * 30}.dir")
    assert len(storage.cat_file("datasets/o/n/x.bin", 1, 1000)) == 999
    assert server.sent < MOST_SENT


def test_a_part_is_the_part_that_was_asked_for_whoever_sends_the_whole(server: HostileServer) -> None:
    storage = HubStorage(Account(server.address))
    assert storage.cat_file("datasets/o/n/x.bin", 2, 9) == CONTENT[2:9]
    assert storage.cat_file("datasets/o/n/x.bin", 2) == CONTENT[2:]


@pytest.mark.parametrize(
    "content", [b"", b"a\r\nb\r\n" * 300_000, b"\0\r\n" * 400_000, b"x" * (1 << 20) + b"\r\n"]
)
@pytest.mark.parametrize("block", [1000, 1 << 20, 3_000_000])
def test_the_digest_of_dvc_2_is_dvcs_own(tmp_path: Path, content: bytes, block: int) -> None:
    from dvc_data.hashfile.hash import file_md5

    (tmp_path / "x").write_bytes(content)
    digester = Promise("0" * 32, LEGACY).digester()
    for start in range(0, len(content), block):
        digester.update(content[start : start + block])
    assert digester.hexdigest() == file_md5(str(tmp_path / "x"), name=LEGACY)


@pytest.mark.parametrize(
    "path", ["x", f"files/md5/ab/{'0' * 29}", f"files/md5/AB/{'0' * 30}", f"ab/{'0' * 30}"]
)
def test_only_the_path_of_an_object_promises_something(path: str) -> None:
    assert promise_of(path) is None
    for suffix in ("", ".dir"):
        assert promise_of(f"sub/files/md5/ab/{'0' * 30}{suffix}") == Promise(f"ab{'0' * 30}")


@pytest.mark.parametrize("oid", ["", "../../x", "0" * 31, "0" * 33, "0" * 32 + ".dir/..", None, 7])
def test_what_is_no_objects_name_is_refused(oid: Any) -> None:
    with pytest.raises(RejectedError, match="expected an md5 of 32 hexadecimal digits"):
        Promise.of(oid, "md5")
