"""What becomes of cached files: verified ones are used, damaged ones go, of others nothing is removed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import DigestMismatchError, FetchError, NotCachedError
from beats_trainer.hub.fetch import damaged_copies, find_checkpoint, local_copy
from huggingface_hub import (
    HfApi,
    constants,
    file_download,
    hf_hub_download,
    scan_cache_dir,
    snapshot_download,
)
from published import Published, import_pin, upload
from spoiler import endless, serve_spoiler

WRONG = "b" * 64
no_links = pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache without links, as on disks that have none."""
    link_none(monkeypatch)


def link_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True, raising=False)
    monkeypatch.setattr(file_download, "are_symlinks_supported", lambda cache_dir=None: False)


@pytest.fixture
def theirs(mine: Published, plain: None) -> Path:
    """A file that huggingface_hub itself has fetched."""
    path = Path(
        hf_hub_download(
            "alice/mine",
            "model.safetensors",
            cache_dir=mine.cache,
            endpoint=mine.hub.endpoint,
        )
    )
    assert not path.is_symlink()
    return path


def offline(published: Published, name: str) -> Path:
    return fetch_checkpoint(name, cache_dir=published.cache, local_files_only=True)


@pytest.mark.parametrize("links", [pytest.param(True, marks=no_links), False])
@pytest.mark.parametrize("asked", ["main", "v1", "commit"])
def test_what_the_client_itself_cached_serves_offline_however_it_was_asked_for(
    mine: Published, monkeypatch, asked: str, links: bool
):
    if not links:
        link_none(monkeypatch)
    api = HfApi(endpoint=mine.hub.endpoint, token=mine.token)
    api.create_tag("alice/mine", tag="v1", revision=mine.commit)
    revision = mine.commit if asked == "commit" else asked
    theirs = snapshot_download(
        "alice/mine", revision=revision, cache_dir=mine.cache, endpoint=mine.hub.endpoint
    )
    found = offline(mine, f"alice/mine@{revision}")
    assert found == Path(theirs) / "model.safetensors"
    assert found.is_symlink() is links


def repin(published: Published, sha256: str, endpoint: str = "") -> None:
    """A pin of the same commit and path that says something else of it."""
    place = "hf://datasets/alice/beats/small.pt"
    import_pin(published.pin, place, published.data, published.commit, endpoint or published.hub.endpoint)
    published.pin.write_text(published.pin.read_text().replace(published.sha256, sha256))


def test_a_file_without_a_digest_is_used_offline_and_gets_one(mine: Published, theirs: Path):
    whole = theirs.read_bytes()
    assert offline(mine, "alice/mine") == theirs
    assert theirs.read_bytes() == whole
    theirs.write_bytes(whole[:-1] + b"?")
    with pytest.raises(NotCachedError):
        offline(mine, "alice/mine")


def test_a_file_without_a_digest_is_compared_with_what_the_hub_says_where_it_can_be_asked(
    mine: Published, theirs: Path
):
    whole = theirs.read_bytes()
    theirs.write_bytes(whole[:-1] + b"?")
    assert fetch_checkpoint("alice/mine", cache_dir=mine.cache).read_bytes() == whole
    assert offline(mine, "alice/mine").read_bytes() == whole


def test_what_is_fetched_into_a_cache_without_links_is_judged_offline(mine: Published, plain: None):
    path = fetch_checkpoint("alice/mine", cache_dir=mine.cache)
    assert not path.is_symlink()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(NotCachedError):
        offline(mine, "alice/mine")
    assert not path.exists(), "known to be damaged"
    again = fetch_checkpoint("alice/mine", cache_dir=mine.cache)
    assert offline(mine, "alice/mine") == again


def test_the_digests_are_no_files_of_the_repository(mine: Published, plain: None):
    path = fetch_checkpoint("alice/mine", cache_dir=mine.cache)
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]
    info = scan_cache_dir(mine.cache)
    assert not info.warnings
    assert info.size_on_disk == path.stat().st_size


@pytest.mark.parametrize("links", [True, False])
def test_a_pin_of_somebody_else_removes_no_file(published: Published, monkeypatch, links: bool):
    if not links:
        link_none(monkeypatch)
    path = fetch_checkpoint("small", cache_dir=published.cache)
    repin(published, WRONG)
    assert list(damaged_copies(find_checkpoint("small"), published.cache)) == []
    with pytest.raises(NotCachedError):
        offline(published, "small")
    with pytest.raises(DigestMismatchError):
        fetch_checkpoint("small", cache_dir=published.cache)
    assert path.read_bytes() == published.data


@pytest.mark.parametrize("links", [True, False])
def test_an_address_in_a_pin_that_claims_a_commit_replaces_no_file(
    published: Published, tmp_path: Path, monkeypatch, links: bool
):
    if not links:
        link_none(monkeypatch)
    path = fetch_checkpoint("small", cache_dir=published.cache)
    evil = os.urandom(len(published.data))
    sha256 = hashlib.sha256(evil).hexdigest()
    repin(published, sha256)
    said = {"ETag": f'"{sha256}"', "X-Repo-Commit": published.commit, "X-Linked-Size": str(len(evil))}
    published.hub.fail("HEAD", "*/resolve/*", status=200, headers=said, times=None)
    with pytest.raises(DigestMismatchError, match=r"holds another file under this commit.*left as it is"):
        fetch_checkpoint("small", cache_dir=published.cache)
    assert path.read_bytes() == published.data


def test_an_address_in_a_pin_moves_no_branch_of_the_users_hub(published: Published, monkeypatch):
    text = published.pin.read_text().replace(f'"version_id": "{published.commit}", ', "")
    published.pin.write_text(text)
    fetch_checkpoint("small", cache_dir=published.cache)
    refs = published.cache / "datasets--alice--beats" / "refs"
    assert not refs.exists()
    monkeypatch.setenv("HF_TOKEN_ORIGINS", published.hub.endpoint)
    published.cache.rename(published.folder / "other")
    fetch_checkpoint("small", cache_dir=published.cache)
    assert (refs / "main").read_text() == published.commit


@no_links
def test_a_link_that_leads_out_of_the_cache_is_removed_and_not_what_it_leads_to(published: Published, caplog):
    path = fetch_checkpoint("small", cache_dir=published.cache)
    outside = published.folder / published.sha256  # named as the blob, so that it is taken for one
    outside.write_bytes(published.data[:-1] + b"?")
    path.unlink()
    path.symlink_to(outside)
    assert local_copy(find_checkpoint("small"), published.cache) is None
    assert "damaged and is removed" in caplog.text
    assert not path.is_symlink()
    assert outside.read_bytes() == published.data[:-1] + b"?"
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data


@no_links
def test_a_blob_that_is_itself_a_link_goes_and_what_it_leads_to_stays(published: Published):
    path = fetch_checkpoint("small", cache_dir=published.cache)
    blob, outside = path.resolve(), published.folder / "elsewhere.bin"
    blob.rename(outside)
    blob.symlink_to(outside)
    outside.write_bytes(b"?" * len(published.data))
    assert local_copy(find_checkpoint("small"), published.cache) is None
    assert not blob.is_symlink()
    assert outside.read_bytes() == b"?" * len(published.data)


def test_a_blob_that_is_not_what_its_name_says_is_brought_anew(published: Published):
    path = fetch_checkpoint("small", cache_dir=published.cache)
    blob = path.resolve()
    path.unlink()
    blob.write_bytes(b"?" * len(published.data))
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data


def test_a_small_file_is_known_by_the_digest_that_git_gives_it(published: Published, monkeypatch):
    commit = upload(published.hub, published.token, "alice/tiny", {"note.txt": b"small enough for git"})
    place = "hf://datasets/alice/tiny/note.txt"
    import_pin(published.pin, place, b"", commit, published.hub.endpoint)
    text = published.pin.read_text().replace('"size": 0', '"x": 0')
    published.pin.write_text(text.replace('"etag"', '"y"'))
    path = fetch_checkpoint("note.txt", cache_dir=published.cache)
    assert local_copy(find_checkpoint("note.txt"), published.cache) == path
    path.resolve().write_bytes(b"small enough for GIT")
    assert list(damaged_copies(find_checkpoint("note.txt"), published.cache)) == [path]


def test_a_body_without_any_size_ends_somewhere(published: Published, monkeypatch, impatient: None):
    monkeypatch.setattr("beats_trainer.hub.download.LARGEST_UNANNOUNCED", 2_000_000)
    with serve_spoiler(published.hub.endpoint) as spoiler:
        text = published.pin.read_text().replace(published.hub.endpoint, spoiler.url)
        published.pin.write_text(text.replace('"size": 300000', '"x": 0'))
        spoiler.spoil("*", "*/resolve/*", endless, 99)
        spoiler.method = "HEAD"
        fetch_checkpoint("small", cache_dir=published.cache / "first")  # the body says its size
        spoiler.spoil("GET", "*/resolve/*", endless, 99)
        monkeypatch.setattr("beats_trainer.hub.announcement.size_in", lambda _: None)
        with pytest.raises(FetchError, match=r"expected 2,000,000 bytes, got 2,\d{3},\d{3} and more"):
            fetch_checkpoint("small", cache_dir=published.cache)
