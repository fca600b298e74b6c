from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import (
    AccessError,
    DigestMismatchError,
    FetchError,
    NotCachedError,
    UnknownCheckpointError,
)
from beats_trainer.hub.fetch import find_checkpoint
from published import Published, dvc_folder, import_pin, upload

# What the HTTP library of old clients holds back of an answer that breaks.
LOST = 20_000


def test_a_fetched_file_has_the_pinned_bytes_and_the_second_call_asks_nobody(published: Published):
    first = fetch_checkpoint("small", cache_dir=published.cache)
    assert first.read_bytes() == published.data
    published.hub.requests.clear()
    assert fetch_checkpoint("small", cache_dir=published.cache) == first
    assert [r.path for r in published.hub.requests] == []


def test_the_file_lies_where_hugging_face_hub_itself_finds_it(published: Published):
    from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache

    path = fetch_checkpoint("small", cache_dir=published.cache)
    found = try_to_load_from_cache(
        "alice/beats", "small.pt", published.cache, published.commit, repo_type="dataset"
    )
    assert found == str(path)
    published.hub.requests.clear()
    theirs = hf_hub_download(
        "alice/beats",
        "small.pt",
        repo_type="dataset",
        revision=published.commit,
        cache_dir=published.cache,
        endpoint=published.hub.endpoint,
    )
    assert theirs == str(path)
    assert published.hub.requests.count("GET", "*/resolve/*") == 0
    (repo,) = scan_cache_dir(published.cache).repos
    assert repo.size_on_disk == len(published.data)


def test_names_resolve_with_and_without_suffix_in_any_case(published: Published):
    for name in ("small", "SMALL", "small.pt", "Small.PT"):
        assert fetch_checkpoint(name, cache_dir=published.cache).read_bytes() == published.data


def test_an_unknown_name_lists_the_known_ones_and_the_near_misses(published: Published):
    with pytest.raises(
        UnknownCheckpointError, match=r"'smal'.*Did you mean small\?.*Known: .*BEATs_iter3_plus_AS2M"
    ):
        fetch_checkpoint("smal", cache_dir=published.cache)


def test_progress_ends_at_the_size_of_the_file(published: Published):
    seen: list[tuple[int, int | None]] = []
    fetch_checkpoint("small", cache_dir=published.cache, progress=lambda *step: seen.append(step))
    assert seen[-1] == (len(published.data), len(published.data))


def test_a_damaged_file_in_the_cache_is_removed_and_fetched_anew(published: Published, caplog):
    path = fetch_checkpoint("small", cache_dir=published.cache)
    damaged = bytearray(published.data)
    damaged[1000] ^= 1
    path.resolve().write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        again = fetch_checkpoint("small", cache_dir=published.cache)
    assert again.read_bytes() == published.data
    assert "damaged" in caplog.text


def test_a_damaged_file_is_never_returned_offline(published: Published):
    path = fetch_checkpoint("small", cache_dir=published.cache)
    path.resolve().write_bytes(published.data[:-1])
    with pytest.raises(NotCachedError, match="small is not in the cache"):
        fetch_checkpoint("small", cache_dir=published.cache, local_files_only=True)
    assert not path.exists()


def test_other_bytes_than_the_pinned_ones_are_refused_before_the_first_arrives(published: Published):
    other = os.urandom(len(published.data))
    import_pin(
        published.pin, "hf://datasets/alice/beats/small.pt", other, published.commit, published.hub.endpoint
    )
    with pytest.raises(DigestMismatchError, match=r"small: expected sha256 .*, got sha256 .*Fetch it again"):
        fetch_checkpoint("small", cache_dir=published.cache)
    assert published.hub.requests.count("GET", "*/resolve/*") == 0
    assert not list(published.cache.rglob("small.pt"))


def test_another_size_is_refused_by_the_announcement(published: Published):
    text = published.pin.read_text().replace(str(len(published.data)), str(len(published.data) + 1))
    published.pin.write_text(text)
    with pytest.raises(DigestMismatchError, match=r"expected 300,001 bytes, got 300,000 bytes"):
        fetch_checkpoint("small", cache_dir=published.cache)


def test_bytes_that_change_on_the_way_are_refused_and_leave_nothing(published: Published, impatient: None):
    published.hub.fail("GET", "*/resolve/*", corrupt=True, times=None)
    with pytest.raises(DigestMismatchError, match="expected sha256"):
        fetch_checkpoint("small", cache_dir=published.cache)
    assert published.leftovers() == []
    assert not list(published.cache.rglob("small.pt"))
    published.hub.recover()
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data


def test_a_broken_connection_goes_on_where_it_broke(published: Published, impatient: None):
    published.hub.fail("GET", "*/resolve/*", cut_after=100_000)
    path = fetch_checkpoint("small", cache_dir=published.cache)
    assert path.read_bytes() == published.data
    sent = [r.sent for r in published.hub.requests if r.method == "GET" and "/resolve/" in r.path]
    assert len(published.data) - 100_000 <= sent[-1] < len(published.data) - 100_000 + LOST


def test_what_an_earlier_attempt_left_is_used_by_the_next(published: Published, impatient: None):
    for _ in range(5):
        published.hub.fail("GET", "*/resolve/*", cut_after=50_000)
    published.hub.fail("GET", "*/resolve/*", status=503, times=None)
    with pytest.raises(FetchError, match="503"):
        fetch_checkpoint("small", cache_dir=published.cache)
    (leftover,) = published.leftovers()
    kept = leftover.stat().st_size
    assert 250_000 - 5 * LOST < kept <= 250_000
    published.hub.recover()
    published.hub.requests.clear()
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert [r.sent for r in published.hub.requests if r.method == "GET"] == [len(published.data) - kept]
    assert published.leftovers() == []


def test_a_damaged_leftover_costs_a_fresh_start_and_nothing_else(published: Published, impatient: None):
    published.hub.fail("GET", "*/resolve/*", cut_after=200_000)
    published.hub.fail("GET", "*/resolve/*", status=403)
    with pytest.raises(AccessError):
        fetch_checkpoint("small", cache_dir=published.cache)
    (leftover,) = published.leftovers()
    leftover.write_bytes(b"\0" * 200_000)
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert published.leftovers() == []


def test_mirrors_are_tried_in_order_and_judged_by_digest(published: Published, hub):
    upload(hub, published.token, "alice/wrong", {"small.pt": b"other" * 60_000})
    upload(hub, published.token, "alice/mirror", {"copies/small.pt": published.data}, "model")
    import_pin(
        published.pin,
        "hf://datasets/alice/gone/small.pt",
        published.data,
        published.commit,
        hub.endpoint,
        sources=["hf://datasets/alice/wrong/small.pt", "hf://alice/mirror/copies/small.pt"],
    )
    path = fetch_checkpoint("small", cache_dir=published.cache)
    assert path.read_bytes() == published.data
    assert "models--alice--mirror" in str(path)


def test_when_no_source_has_it_the_message_has_the_reason_of_each(published: Published, hub):
    import_pin(
        published.pin,
        "hf://datasets/alice/gone/small.pt",
        published.data,
        published.commit,
        hub.endpoint,
        sources=["hf://datasets/alice/beats/none.pt"],
    )
    with pytest.raises(FetchError, match=r"(?s)none of the 2 sources.*alice/gone.*no file 'none.pt'"):
        fetch_checkpoint("small", cache_dir=published.cache)


def test_a_shelf_is_searched_by_digest_and_never_by_name(published: Published, tmp_path: Path, monkeypatch):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "small.pt").write_bytes(b"x" * len(published.data))
    (shelf / "another name.pt").write_bytes(published.data)
    monkeypatch.setenv("BEATS_CHECKPOINTS", str(shelf))
    assert fetch_checkpoint("small", cache_dir=published.cache) == shelf / "another name.pt"
    assert len(list(published.hub.requests)) == 0


def test_a_shelf_without_the_bytes_is_no_help(published: Published, tmp_path: Path, monkeypatch):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "small.pt").write_bytes(b"x" * len(published.data))
    monkeypatch.setenv("BEATS_CHECKPOINTS", str(shelf))
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data


def test_a_checkpoint_without_place_says_so(published: Published):
    with pytest.raises(FetchError, match=r"nobody has said where BEATs_iter1 lies.*BEATS_CHECKPOINTS"):
        fetch_checkpoint("BEATs_iter1", cache_dir=published.cache)


def test_a_licence_against_commerce_must_be_accepted(published: Published):
    import_pin(
        published.pin,
        "hf://datasets/alice/beats/small.pt",
        published.data,
        published.commit,
        published.hub.endpoint,
        licence="CC-BY-NC-SA-4.0",
    )
    with pytest.raises(AccessError, match=r"CC-BY-NC-SA-4.0.*allow_noncommercial"):
        fetch_checkpoint("small", cache_dir=published.cache)
    path = fetch_checkpoint("small", cache_dir=published.cache, allow_noncommercial=True)
    assert path.read_bytes() == published.data


def test_a_cache_that_cannot_be_written_says_which(published: Published, tmp_path: Path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the cache should be")
    with pytest.raises(FetchError, match="Can the cache be written"):
        fetch_checkpoint("small", cache_dir=blocked)


def test_a_copy_of_another_revision_serves_when_its_digest_is_right(
    published: Published, hub, tmp_path: Path
):
    fetch_checkpoint("small", cache_dir=published.cache)
    later = upload(hub, published.token, "alice/beats", {"more.pt": b"more"})
    place = "hf://datasets/alice/beats/small.pt"
    import_pin(published.pin, place, published.data, later, hub.endpoint)
    hub.requests.clear()
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert len(list(hub.requests)) == 0


def test_a_moved_branch_keeps_its_old_file_apart(published: Published, hub):
    fetch_checkpoint("small", cache_dir=published.cache)
    data = os.urandom(1000)
    later = upload(hub, published.token, "alice/beats", {"small.pt": data})
    import_pin(published.pin, "hf://datasets/alice/beats/small.pt", data, later, hub.endpoint)
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == data
    snapshots = published.cache / "datasets--alice--beats" / "snapshots"
    assert len(list(snapshots.iterdir())) == 2


def test_a_pinned_folder_gives_its_checkpoints_by_name(published: Published, monkeypatch):
    files = {"BEATs_iter3_plus_AS2M.pt": b"a" * 1000, "openbeats.pt": b"b" * 2000, "README.md": b"# card"}
    monkeypatch.setenv("BEATS_PINS", str(dvc_folder(published, files)))
    assert fetch_checkpoint("openbeats", cache_dir=published.cache).read_bytes() == files["openbeats.pt"]
    default = fetch_checkpoint("BEATs_iter3_plus_AS2M", cache_dir=published.cache)
    assert default.read_bytes() == files["BEATs_iter3_plus_AS2M.pt"]
    with pytest.raises(UnknownCheckpointError):
        fetch_checkpoint("README", cache_dir=published.cache)


def test_a_pinned_folder_needs_no_network_once_it_is_here(published: Published, monkeypatch):
    monkeypatch.setenv("BEATS_PINS", str(dvc_folder(published, {"openbeats.pt": b"b" * 2000})))
    path = fetch_checkpoint("openbeats", cache_dir=published.cache)
    published.hub.requests.clear()
    assert fetch_checkpoint("openbeats", cache_dir=published.cache, local_files_only=True) == path
    assert len(list(published.hub.requests)) == 0


def test_a_listing_that_cannot_be_read_does_not_let_another_pin_take_the_name(
    published: Published, monkeypatch
):
    monkeypatch.setenv("BEATS_PINS", str(dvc_folder(published, {"BEATs_iter3_plus_AS2M.pt": b"ours"})))
    with pytest.raises(NotCachedError):
        find_checkpoint("BEATs_iter3_plus_AS2M", published.cache, local_files_only=True)


def test_what_dvc_pull_brought_is_not_fetched_again(published: Published, monkeypatch):
    pin = dvc_folder(published, {"openbeats.pt": b"b" * 2000})
    monkeypatch.setenv("BEATS_PINS", str(pin))
    fetched = fetch_checkpoint("openbeats", cache_dir=published.cache)
    store = pin.parent / ".dvc" / "cache" / "files" / "md5" / fetched.parent.name
    store.mkdir(parents=True)
    shutil.copyfile(fetched, store / fetched.name)
    assert fetch_checkpoint("openbeats", cache_dir=published.cache) == store / fetched.name


def test_a_remote_on_a_branch_is_fetched_from_that_branch(published: Published, monkeypatch):
    from huggingface_hub import HfApi

    pin = dvc_folder(published, {"openbeats.pt": b"b" * 2000}, branch="@weights")
    monkeypatch.setenv("BEATS_PINS", str(pin))
    with pytest.raises(FetchError, match="no revision 'weights'"):
        fetch_checkpoint("openbeats", cache_dir=published.cache)
    HfApi(endpoint=published.hub.endpoint, token=published.token).create_branch(
        "alice/pushed", repo_type="dataset", branch="weights"
    )
    assert fetch_checkpoint("openbeats", cache_dir=published.cache).read_bytes() == b"b" * 2000
