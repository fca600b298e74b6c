"""What a pin, a Hub's description or a header may say of a place: nothing that leads out of its folder."""

from __future__ import annotations

import json
import os

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import FetchError, PinError
from beats_trainer.pins.address import Place, parse_place
from published import Published, beats, import_pin

WAYS_OUT = [
    *("../x.pt", "a/../../x.pt", "..", ".", "a/./b.pt", "a//b.pt", "/etc/passwd", "a/"),
    *("..\\x.pt", "a\\..\\..\\x.pt", "C:x.pt", "C:/x.pt", ".. /x.pt", ".../x.pt", " ", "a/ /b"),
    *("a\0b", "a\nb", "a\x1b[31mb", "a\ud800b", "a" * 2_000),
]
NO_REVISIONS = [*WAYS_OUT, "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "-a", "a.lock", "a@{1}"]
NO_REPOSITORIES = [
    *("a--b/c", "a/b--c", "a/b..c", "../b", "a/..", "a/b/c", "a", "", "a/"),
    *("a/é", "a/b.", "a/b\n", "a/.git", "a/b.git", "a/" + "b" * 97),
]
NO_ADDRESSES = [
    *("ftp://hub", "hub", "https://", "https://a\\@b", "https://a b", "https://a?x=1", "https://a#b", "//a"),
    *(
        "https://a@b@c",
        "https://a/../b c",
        "https://hub:99999999",
        "file:///etc",
        "https://a\nb",
        "https://ä",
    ),
]


@pytest.mark.parametrize("path", WAYS_OUT, ids=ascii)
def test_a_path_that_leads_out_is_no_part_of_a_place(path: str):
    with pytest.raises(PinError, match="none of them a way out") as told:
        Place("alice/beats", path)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 600


@pytest.mark.parametrize("revision", NO_REVISIONS, ids=ascii)
def test_what_git_would_not_take_is_no_revision(revision: str):
    with pytest.raises(PinError, match="the revision of alice/beats is"):
        Place("alice/beats", "a.pt", "model", revision)


@pytest.mark.parametrize("name", NO_REPOSITORIES, ids=ascii)
def test_what_the_hub_would_not_take_is_no_repository(name: str):
    with pytest.raises(PinError, match="no repository in"):
        Place(name)


@pytest.mark.parametrize("address", NO_ADDRESSES, ids=ascii)
def test_what_is_no_address_is_no_endpoint(address: str):
    with pytest.raises(PinError, match="the endpoint of alice/beats is no address of a Hub"):
        Place("alice/beats", endpoint=address)


@pytest.mark.parametrize(
    "address", ["https://hub", "http://127.0.0.1:80", "https://[::1]:8/x", "https://a:b@hub/x~1"]
)
def test_addresses_of_hubs_are(address: str):
    assert Place("alice/beats", endpoint=address).endpoint == address


@pytest.mark.parametrize(
    "path", ["a.pt", "x/..a/b..pt", "…/ü.pt", "a b/c d.pt", "a:b.pt"[2:], "files/md5/ab/cd"]
)
def test_names_as_people_give_them_are_taken(path: str):
    assert parse_place(f"hf://alice/beats/{path}").path == path


@pytest.mark.parametrize("coded", ["..%2F..%2Fx", "%2E%2E%2Fx", "a%2F..%2F..%2Fx", "%5C..%5Cx", "x%00y"])
def test_a_revision_is_looked_at_as_it_is_used(coded: str):
    with pytest.raises(PinError, match="the revision of alice/beats"):
        parse_place(f"hf://alice/beats@{coded}/a.pt")


@pytest.mark.parametrize("where", ["path", "version_id", "sources", "revision"])
def test_a_pin_that_leads_out_writes_and_removes_nothing(published: Published, where: str):
    victim = published.folder / "thesis.pt"
    victim.write_bytes(b"years of work")
    out = os.path.relpath(victim, published.cache / "datasets--alice--beats" / "snapshots" / published.commit)
    place = f"hf://datasets/alice/beats/{out if where == 'path' else 'small.pt'}"
    if where == "revision":
        place = f"hf://datasets/alice/beats@{out.replace('/', '%2F')}/small.pt"
    more = {"sources": [f"hf://datasets/alice/beats/{out}"]} if where == "sources" else {}
    commit = out if where == "version_id" else published.commit
    import_pin(published.pin, place, published.data, commit, published.hub.endpoint, **more)
    document = json.loads(published.pin.read_text())
    if where == "revision":
        del document["deps"][0]["version_id"]
    document["outs"][0]["path"] = "small.pt"
    published.pin.write_text(json.dumps(document))
    done = beats(published, "fetch", "small")
    assert done.returncode == 1
    assert "none of them a way out" in done.stderr
    assert "Traceback" not in done.stderr
    assert victim.read_bytes() == b"years of work"
    assert not published.cache.exists()
    assert list(published.hub.requests) == []


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *[("X-Repo-Commit", value) for value in ("../../x", "main", "a" * 39, "A" * 40, "")],
        *[
            ("ETag", f'"{value}"')
            for value in ("../x", "a/b", "..", ".x", "a.b-1-c.incomplete", "*", "a" * 200)
        ],
        *[("X-Linked-Etag", '"a\\b"'), ("ETag", '""')],
    ],
)
def test_a_header_that_a_hub_does_not_send_is_refused(published: Published, header: str, value: str):
    said = {"ETag": f'"{published.sha256}"', "X-Repo-Commit": published.commit, header: value}
    published.hub.fail("HEAD", "*/resolve/*", status=200, headers=said, times=None)
    with pytest.raises(FetchError, match=r"(T|t)his is no Hub.*HF_ENDPOINT"):
        fetch_checkpoint("small", cache_dir=published.cache)
    assert not list(published.cache.rglob("*"))
    assert published.hub.requests.count("GET", "*") == 0
