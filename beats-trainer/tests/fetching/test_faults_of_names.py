"""The requests before the file itself, spoiled: what a repository holds, the listing of a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import AccessError, DigestMismatchError, FetchError
from published import Published, dvc_folder

FOR_GOOD: dict[str, tuple[dict[str, Any], type[FetchError], str]] = {
    "401": ({"status": 401}, AccessError, "401.*HF_TOKEN"),
    "403": ({"status": 403}, AccessError, "403.*read access"),
    "404 repo": ({"status": 404, "headers": {"X-Error-Code": "RepoNotFound"}}, AccessError, "there is no"),
    "404 revision": (
        {"status": 404, "headers": {"X-Error-Code": "RevisionNotFound"}},
        FetchError,
        "no revision",
    ),
    "429": ({"status": 429}, FetchError, "too many requests"),
    "500": ({"status": 500}, FetchError, "the Hub has a fault.*500"),
    "timeout": ({"delay": 1.6}, FetchError, "no answer in time"),
}
PASSING: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "500": {"status": 500},
    "timeout": {"delay": 1.6},
    "cut": {"cut_after": 20},
    "slow": {"delay": 0.3},
}
LISTED = {"openbeats.pt": b"b" * 2000}


def remains(cache: Path) -> list[str]:
    """Every file that is neither a lock nor a finished listing."""
    files = [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return [path.name for path in files if not re.search(r"\.dir$|^[0-9a-f]{40}$|^main$", path.name)]


@pytest.mark.parametrize("fault", FOR_GOOD)
def test_a_repository_that_cannot_be_asked_is_named(mine: Published, impatient: None, fault: str):
    how, error, message = FOR_GOOD[fault]
    mine.hub.fail("GET", "*/api/models/*", times=None, **how)
    with pytest.raises(error, match=f"(?s)cannot fetch alice/mine.*{message}"):
        fetch_checkpoint("alice/mine", cache_dir=mine.cache)
    assert remains(mine.cache) == []


@pytest.mark.parametrize("fault", PASSING)
def test_a_repository_that_stumbles_is_asked_again(mine: Published, impatient: None, fault: str):
    mine.hub.fail("GET", "*/api/models/*", times=1, **PASSING[fault])
    path = fetch_checkpoint("alice/mine", cache_dir=mine.cache)
    assert path.read_bytes() == b"new" * 30_000
    assert mine.leftovers() == []


def test_an_answer_about_a_repository_that_is_cut_each_time_is_named(mine: Published, impatient: None):
    mine.hub.fail("GET", "*/api/models/*", times=None, cut_after=20)
    with pytest.raises(FetchError, match="cannot fetch alice/mine"):
        fetch_checkpoint("alice/mine", cache_dir=mine.cache)
    assert remains(mine.cache) == []


@pytest.fixture
def pushed(published: Published, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A folder as DVC pushed it; nothing of it is here."""
    monkeypatch.setenv("BEATS_PINS", str(dvc_folder(published, LISTED)))
    return published


@pytest.mark.parametrize("fault", FOR_GOOD)
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_listing_that_cannot_be_fetched_is_named(
    pushed: Published, impatient: None, method: str, fault: str
):
    how, error, message = FOR_GOOD[fault]
    pushed.hub.fail(method, "*/resolve/*.dir", times=None, **how)
    with pytest.raises(error, match=f"(?s)cannot fetch.*{message}"):
        fetch_checkpoint("openbeats", cache_dir=pushed.cache)
    assert remains(pushed.cache) == []


@pytest.mark.parametrize("fault", PASSING)
def test_a_listing_that_stumbles_is_fetched_again(pushed: Published, impatient: None, fault: str):
    pushed.hub.fail("GET", "*/resolve/*.dir", times=1, **PASSING[fault])
    path = fetch_checkpoint("openbeats", cache_dir=pushed.cache)
    assert path.read_bytes() == LISTED["openbeats.pt"]
    assert pushed.leftovers() == []


def test_a_listing_with_other_bytes_is_never_read(pushed: Published, impatient: None):
    pushed.hub.fail("GET", "*/resolve/*.dir", times=None, corrupt=True)
    with pytest.raises(DigestMismatchError, match="expected md5"):
        fetch_checkpoint("openbeats", cache_dir=pushed.cache)
    assert remains(pushed.cache) == []
