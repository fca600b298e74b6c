"""Checkpoints of one's own on the Hub, without a pin."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import AccessError, FetchError, NotCachedError, PinError
from beats_trainer.hub.lookup import is_hub_name
from huggingface_hub import HfApi
from published import Published, beats, upload


@pytest.mark.parametrize(
    "name", ["alice/mine", "alice/mine@v1", "alice/mine@refs/pr/1", "hf://alice/mine/a.pt"]
)
def test_a_repository_is_told_from_a_path(name: str):
    assert is_hub_name(name)


@pytest.mark.parametrize("name", ["mine", "./alice/mine", "/alice/mine", "a/b/c", "~/mine", "alice\\mine"])
def test_a_path_or_a_plain_name_is_no_repository(name: str):
    assert not is_hub_name(name)


def test_a_repository_is_fetched_at_its_commit_and_logged(mine: Published, caplog):
    with caplog.at_level(logging.INFO, logger="beats_trainer"):
        path = fetch_checkpoint("alice/mine", cache_dir=mine.cache)
    assert path.read_bytes() == b"new" * 30_000
    assert "sha256" in caplog.text
    old = fetch_checkpoint(f"alice/mine@{mine.commit}", cache_dir=mine.cache)
    assert old.read_bytes() == mine.data


def test_only_pinned_files_can_be_asked_for(mine: Published):
    with pytest.raises(FetchError, match=r"no digest is pinned for alice/mine.*beats pin"):
        fetch_checkpoint("alice/mine", cache_dir=mine.cache, trust="pinned")
    assert len(list(mine.hub.requests)) == 0


@pytest.mark.parametrize("revision", ["commit", "tag", "branch"])
def test_what_was_fetched_is_there_offline(mine: Published, revision: str):
    api = HfApi(endpoint=mine.hub.endpoint, token=mine.token)
    api.create_tag("alice/mine", tag="v1", revision=mine.commit)
    name = "alice/mine" + {"commit": f"@{mine.commit}", "tag": "@v1", "branch": ""}[revision]
    path = fetch_checkpoint(name, cache_dir=mine.cache)
    mine.hub.requests.clear()
    assert fetch_checkpoint(name, cache_dir=mine.cache, local_files_only=True) == path
    assert len(list(mine.hub.requests)) == 0
    with pytest.raises(NotCachedError, match="alice/none"):
        fetch_checkpoint("alice/none", cache_dir=mine.cache, local_files_only=True)


def test_bytes_that_are_not_those_of_the_hub_are_refused(mine: Published, impatient: None):
    mine.hub.fail("GET", "*/resolve/*", corrupt=True)
    with pytest.raises(FetchError, match="expected sha256"):
        fetch_checkpoint("alice/mine", cache_dir=mine.cache)


def test_a_repository_with_several_files_wants_one_named(mine: Published):
    upload(mine.hub, mine.token, "alice/two", {"a.pt": b"a" * 5_000, "b.pt": b"b" * 5_000}, "model")
    with pytest.raises(PinError, match=r"the repository holds a.pt, b.pt\. Name it: hf://"):
        fetch_checkpoint("alice/two", cache_dir=mine.cache)
    path = fetch_checkpoint("hf://alice/two/b.pt", cache_dir=mine.cache)
    assert path.read_bytes() == b"b" * 5_000


def test_a_repository_that_is_not_there_is_named(mine: Published):
    with pytest.raises(AccessError, match=r"there is no model alice/none"):
        fetch_checkpoint("alice/none", cache_dir=mine.cache)


def test_beats_pin_writes_a_pin_that_fetches_the_same_bytes(mine: Published, tmp_path: Path):
    registry = tmp_path / "pins"
    registry.mkdir()
    written = beats(mine, "pin", f"alice/mine@{mine.commit}", "-o", str(registry))
    assert written.returncode == 0, written.stderr
    assert written.stdout.strip() == str(registry / "model.safetensors.dvc")
    fetched = beats(mine, "fetch", "model", "--trust", "pinned", BEATS_PINS=str(registry))
    assert fetched.returncode == 0, fetched.stderr
    assert Path(fetched.stdout.strip()).read_bytes() == mine.data
