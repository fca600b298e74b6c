"""Faults that the table of them has no column for: waits, places that the first answer names, tokens."""

from __future__ import annotations

from typing import Any

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import FetchError
from elsewhere import serve_elsewhere
from published import Published

REFUSALS: tuple[dict[str, Any], ...] = (
    *({"status": status} for status in (401, 403, 418, 429, 500, 503)),
    *({"status": 404, "headers": {"X-Error-Code": code}} for code in ("RepoNotFound", "EntryNotFound")),
    {"status": 403, "headers": {"X-Error-Code": "GatedRepo"}},
)


def test_the_wait_that_a_busy_hub_asks_for_is_kept(published: Published, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr("beats_trainer.hub.retry.time.sleep", waits.append)
    published.hub.fail("GET", "*/resolve/*", status=429, headers={"Retry-After": "7"})
    published.hub.fail("GET", "*/resolve/*", status=429, headers={"RateLimit": '"api";r=0;t=9'})
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert sorted(waits) == [7.0, 9.0]


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
