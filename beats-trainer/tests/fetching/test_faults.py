"""Each request of a fetch, spoiled in each way: the right message or success, and never a wrong file."""

from __future__ import annotations

from typing import Any

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import AccessError, DigestMismatchError, FetchError
from elsewhere import serve_elsewhere
from published import Published

# The requests of one fetch: what is it, and the bytes.
REQUESTS = {"head": "HEAD", "get": "GET"}
FOR_GOOD: dict[str, tuple[dict[str, Any], type[FetchError], str]] = {
    "401": ({"status": 401}, AccessError, "401.*HF_TOKEN"),
    "403": ({"status": 403}, AccessError, "403.*read access"),
    "404 repo": (
        {"status": 404, "headers": {"X-Error-Code": "RepoNotFound"}},
        AccessError,
        "there is no dataset",
    ),
    "404 revision": (
        {"status": 404, "headers": {"X-Error-Code": "RevisionNotFound"}},
        FetchError,
        "no revision",
    ),
    "404 entry": (
        {"status": 404, "headers": {"X-Error-Code": "EntryNotFound"}},
        FetchError,
        "no file 'small.pt'",
    ),
    "gated": (
        {"status": 403, "headers": {"X-Error-Code": "GatedRepo"}},
        AccessError,
        "gated.*Accept its terms on http",
    ),
    "429": ({"status": 429}, FetchError, "too many requests.*Wait some minutes"),
    "500": ({"status": 500}, FetchError, "the Hub has a fault.*500"),
    "503": ({"status": 503}, FetchError, "the Hub has a fault.*503"),
    "timeout": ({"delay": 1.6}, FetchError, "no answer in time.*HF_HUB_DOWNLOAD_TIMEOUT"),
    "418": ({"status": 418}, FetchError, "refused the request.*418"),
}
PASSING = ["429", "500", "503", "timeout"]


@pytest.mark.parametrize("fault", FOR_GOOD)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_fault_that_stays_is_named_and_leaves_nothing_behind(
    published: Published, impatient: None, request_: str, fault: str
):
    how, error, message = FOR_GOOD[fault]
    published.hub.fail(REQUESTS[request_], "*/resolve/*", times=None, **how)
    with pytest.raises(error, match=f"(?s)cannot fetch small.*{message}"):
        fetch_checkpoint("small", cache_dir=published.cache)
    assert not list(published.cache.rglob("small.pt"))
    assert [path for path in published.leftovers() if path.stat().st_size == 0] == []
    published.hub.recover()
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert published.leftovers() == []


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_fault_that_passes_is_waited_out(published: Published, impatient: None, request_: str, fault: str):
    published.hub.fail(REQUESTS[request_], "*/resolve/*", times=1, **FOR_GOOD[fault][0])
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert published.leftovers() == []


def test_the_wait_that_a_busy_hub_asks_for_is_kept(published: Published, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr("beats_trainer.patience.time.sleep", waits.append)
    published.hub.fail("GET", "*/resolve/*", status=429, headers={"Retry-After": "7"})
    published.hub.fail("GET", "*/resolve/*", status=429, headers={"RateLimit": '"api";r=0;t=9'})
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert sorted(waits) == [7.0, 9.0]


@pytest.mark.parametrize("cuts", [1, 3])
def test_a_connection_that_breaks_now_and_then_still_brings_the_file(
    published: Published, impatient: None, cuts: int
):
    for _ in range(cuts):
        published.hub.fail("GET", "*/resolve/*", cut_after=70_000)
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert published.leftovers() == []


def test_wrong_bytes_of_the_right_length_are_never_returned(published: Published, impatient: None):
    published.hub.fail("GET", "*/resolve/*", corrupt=True)
    with pytest.raises(DigestMismatchError, match=r"expected sha256 \w{64}, got sha256 \w{64}"):
        fetch_checkpoint("small", cache_dir=published.cache)
    assert not list(published.cache.rglob("small.pt"))
    assert published.leftovers() == []


def test_a_file_of_another_length_is_refused(published: Published, impatient: None):
    with serve_elsewhere(published.data + b"more") as other:
        published.hub.fail("GET", "*/resolve/*", status=302, headers={"Location": other.url}, times=None)
        with pytest.raises(DigestMismatchError, match="300,004 bytes"):
            fetch_checkpoint("small", cache_dir=published.cache)
    assert published.leftovers() == []


def test_a_redirect_to_another_host_is_followed_without_the_token(
    published: Published, impatient: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", published.token)
    with serve_elsewhere(published.data) as other:
        published.hub.fail("GET", "*/resolve/*", status=302, headers={"Location": other.url})
        assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
        assert [seen.get("authorization") for seen in other.seen] == [None]


def test_a_place_that_the_first_answer_names_is_asked_without_the_token(
    published: Published, impatient: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", published.token)
    with serve_elsewhere(published.data) as other:
        answer = {
            "Location": other.url.replace("127.0.0.1", "localhost"),  # another host, also by its name
            "X-Repo-Commit": published.commit,
            "X-Linked-Etag": f'"{published.sha256}"',
            "X-Linked-Size": str(len(published.data)),
        }
        published.hub.fail("HEAD", "*/resolve/*", status=302, headers=answer)
        assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
        assert [seen.get("authorization") for seen in other.seen] == [None]


def test_a_slow_drip_is_patience_and_no_timeout(published: Published, impatient: None):
    with serve_elsewhere(published.data, drop=30_000, pause_s=0.2) as slow:
        published.hub.fail("GET", "*/resolve/*", status=302, headers={"Location": slow.url})
        assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
        assert len(slow.seen) == 1


def test_a_hub_that_ignores_ranges_costs_time_and_nothing_else(published: Published, impatient: None):
    published.hub.fail("GET", "*/resolve/*", cut_after=100_000)
    with serve_elsewhere(published.data) as other:
        location = {"Location": other.url.replace("/file", "/whole")}
        published.hub.fail("GET", "*/resolve/*", status=302, headers=location)
        assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data


def test_no_message_shows_the_token(
    published: Published, impatient: None, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.setenv("HF_TOKEN", published.token)
    caplog.set_level("DEBUG", logger="beats_trainer")
    for how, _, _ in FOR_GOOD.values():
        if "status" not in how:
            continue
        published.hub.fail("*", "*/resolve/*", times=None, **how)
        with pytest.raises(FetchError) as caught:
            fetch_checkpoint("small", cache_dir=published.cache)
        assert published.token not in str(caught.value) + caplog.text
        published.hub.recover()
