"""Faults that the table of them has no column for: waits, places that the first answer names, tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import FetchError
from elsewhere import Elsewhere, serve_elsewhere
from published import Published

REFUSALS: tuple[dict[str, Any], ...] = (
    *({"status": status} for status in (401, 403, 418, 429, 500, 503)),
    *({"status": 404, "headers": {"X-Error-Code": code}} for code in ("RepoNotFound", "EntryNotFound")),
    {"status": 403, "headers": {"X-Error-Code": "GatedRepo"}},
)


def test_the_wait_that_a_busy_hub_asks_for_is_kept(
    published: Published, monkeypatch: pytest.MonkeyPatch, caplog
):
    waits: list[float] = []
    monkeypatch.setattr("beats_trainer.hub.retry.time.sleep", waits.append)
    published.hub.fail("GET", "*/resolve/*", status=429, headers={"Retry-After": "7"})
    published.hub.fail("GET", "*/resolve/*", status=429, headers={"RateLimit": '"api";r=0;t=295'})
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert sorted(waits) == [8.0, 296.0]  # they are whole seconds
    assert "the Hub answered 429; trying again in 296 s" in caplog.text


def test_a_wait_longer_than_a_window_of_the_hub_is_not_kept(published: Published, monkeypatch):
    monkeypatch.setattr("beats_trainer.hub.retry.time.sleep", pytest.fail)
    published.hub.fail("*", "*/resolve/*", status=429, headers={"Retry-After": "4000"}, times=None)
    with pytest.raises(FetchError, match=r"429\), and the limit lasts longer than is waited for"):
        fetch_checkpoint("small", cache_dir=published.cache)


def test_a_place_that_the_first_answer_names_is_asked_without_the_token(
    published: Published, impatient: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", published.token)
    monkeypatch.setenv("HF_TOKEN_ORIGINS", published.hub.endpoint)
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


@contextmanager
def signed_addresses(published: Published, *good_for: int | None) -> Iterator[list[Elsewhere]]:
    """The Hub leads each request of its own to another address, each good for some answers."""
    with ExitStack() as stack:
        hosts = [stack.enter_context(serve_elsewhere(published.data)) for _ in good_for]
        for host, answers in zip(hosts, good_for, strict=True):
            host.good_for = answers
            head = {
                "Location": host.url.replace("127.0.0.1", "localhost"),
                "X-Repo-Commit": published.commit,
                "X-Linked-Etag": f'"{published.sha256}"',
                "X-Linked-Size": str(len(published.data)),
            }
            published.hub.fail("HEAD", "*/resolve/*", status=302, headers=head)
        yield hosts


def test_a_signed_address_that_has_expired_is_asked_for_anew_and_the_fetch_goes_on(
    published: Published, impatient: None
):
    with signed_addresses(published, 1, 0, None) as (first, second, third):
        first.cut_after = 100_000
        assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert [len(host.seen) for host in (first, second, third)] == [2, 1, 1]
    assert third.seen[0]["range"] == "bytes=100000-"


def test_addresses_that_are_never_good_are_not_the_tokens_fault(published: Published, impatient: None):
    with signed_addresses(published, *[0] * 8), pytest.raises(FetchError, match="signed addresses") as told:
        fetch_checkpoint("small", cache_dir=published.cache)
    assert "token" not in str(told.value)


def test_a_new_address_of_another_file_is_refused(published: Published, impatient: None):
    with signed_addresses(published, 0):
        other = {"X-Linked-Etag": f'"{"f" * 64}"', "X-Repo-Commit": published.commit, "Location": "http://x/"}
        published.hub.fail("HEAD", "*/resolve/*", status=302, headers=other, times=None)
        with pytest.raises(FetchError, match="has changed while it was fetched"):
            fetch_checkpoint("small", cache_dir=published.cache)


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
    monkeypatch.setenv("HF_TOKEN_ORIGINS", published.hub.endpoint)
    caplog.set_level("DEBUG", logger="beats_trainer")
    for how in REFUSALS:
        published.hub.fail("*", "*/resolve/*", times=None, **how)
        with pytest.raises(FetchError) as caught:
            fetch_checkpoint("small", cache_dir=published.cache)
        assert published.token not in str(caught.value) + caplog.text
        published.hub.recover()
