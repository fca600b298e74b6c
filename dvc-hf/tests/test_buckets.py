"""Buckets: the content-addressed mode without commits, and what it costs, counted in the Hub's own log."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from minihub.testing import Hub

BUCKET = "alice/store"
URL = f"hf://buckets/{BUCKET}"
KINDS = ("paths-info", "tree", "batch", "resolve", "token")
STORE = ("/v1/", "/v2/")  # of Xet: how often it is asked is its client's affair


@pytest.fixture
def bucket(api: HfApi) -> str:
    api.create_bucket(BUCKET)
    return BUCKET


@pytest.fixture
def stored(make_project: Callable[..., Any], bucket: str) -> Any:
    """A project whose remote is a folder of the bucket; two folders of 50 files and 3 files beside them."""
    project = make_project(url=f"{URL}/cache")
    for number in range(100):
        project.write(f"d{number % 2}/{number}.bin", f"\0{number}")
    for name in "xyz":
        project.write(f"{name}.bin", f"\0{name}")
    project.dvc("add", "d0", "d1", "x.bin", "y.bin", "z.bin")
    project.commit()
    return project


def cost(hub: Hub) -> dict[str, int]:
    """Requests by kind, those of the Xet store left out; whatever has no name here is listed by its path."""
    found: Counter[str] = Counter()
    for record in hub.requests:
        if not record.path.startswith(STORE):
            kinds = [kind for kind in KINDS if kind in record.path]
            found[kinds[0] if kinds else record.path] += 1
    return dict(found)


def files(api: HfApi) -> set[str]:
    return {item.path for item in api.list_bucket_tree(BUCKET, recursive=True) if item.type == "file"}


def test_what_is_pushed_comes_back(stored, hub: Hub, api: HfApi, tmp_path: Path) -> None:
    hub.requests.clear()
    assert "105 files pushed" in stored.dvc("push").out
    assert cost(hub) == {"paths-info": 8, "token": 1, "batch": 2}
    assert "in sync" in stored.dvc("status", "--cloud").out
    clone = stored.clone(tmp_path / "clone")
    hub.requests.clear()
    clone.dvc("pull")
    assert cost(hub) == {"paths-info": 7, "tree": 1, "resolve": 107}
    assert clone.read("d1/99.bin") == b"\x0099"
    assert len(files(api)) == 105


def test_nothing_new_is_no_change_of_the_bucket(stored, hub: Hub) -> None:
    stored.dvc("push")
    hub.requests.clear()
    stored.dvc("push")
    assert cost(hub) == {"paths-info": 1}
    hub.requests.clear()
    stored.dvc("status", "--cloud")
    assert cost(hub) == {"paths-info": 1}


def test_a_push_that_the_bucket_refuses_shows_no_listing_and_the_next_completes_it(
    stored, hub: Hub, api: HfApi
) -> None:
    hub.fail("POST", "*/batch", status=403, times=None)
    result = stored.dvc("push", ok=False)
    assert "write permission to the bucket" in result.text
    hub.recover()
    assert files(api) == set()
    stored.dvc("push")
    assert len(files(api)) == 105


def test_no_listing_of_a_folder_is_written_before_all_that_it_lists(stored, hub: Hub, api: HfApi) -> None:
    hub.fail("POST", "*/batch", status=403, skip=1, times=None)
    assert "105" not in stored.dvc("push", ok=False).out
    assert len(files(api)) == 103
    assert not [path for path in files(api) if path.endswith(".dir")]
    hub.recover()
    stored.dvc("push")
    assert len(files(api)) == 105


def test_gc_deletes_what_is_not_used_and_nothing_else(stored, api: HfApi, hub: Hub) -> None:
    stored.dvc("push")
    api.batch_bucket_files(BUCKET, add=[(b"mine", "cache/en/train.csv")])
    stored.write("d0/0.bin", b"\0new")
    stored.dvc("add", "d0")
    stored.commit()
    stored.dvc("push")
    hub.requests.clear()
    stored.dvc("gc", "--workspace", "--cloud", "--force")
    assert hub.requests.count("POST", "*/batch") == 2  # the listing of the old folder first, then its file
    assert len(files(api)) == 106
    assert "cache/en/train.csv" in files(api)


def test_import_get_list_and_the_python_interface(stored, api: HfApi, tmp_path: Path) -> None:
    api.batch_bucket_files(BUCKET, add=[(b"a", "one/a"), (b"b", "one/b/c"), (b"", "two")])
    assert set(stored.dvc("list-url", URL).out.split()) == {"one", "two"}
    stored.dvc("get-url", f"{URL}/one", "copied")
    assert (stored.read("copied/a"), stored.read("copied/b/c")) == (b"a", b"b")
    stored.dvc("import-url", f"{URL}/one/a", "copy")
    api.batch_bucket_files(BUCKET, add=[(b"A", "one/a")])
    stored.dvc("update", "copy.dvc")
    assert stored.read("copy") == b"A"
    stored.dvc("import-url", "--to-remote", f"{URL}/one", "imported")
    stored.dvc("pull")
    assert stored.read("imported/b/c") == b"b"


@pytest.mark.parametrize("mode", ["version_aware", "worktree"])
def test_modes_that_need_versions_are_refused(make_project, bucket: str, mode: str) -> None:
    project = make_project(url=URL, **{mode: "true"})
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    result = project.dvc("push", ok=False)
    assert "it keeps no versions" in result.text
    assert "hf://datasets/OWNER/NAME" in result.text


def test_a_versioned_import_is_refused(stored, api: HfApi) -> None:
    api.batch_bucket_files(BUCKET, add=[(b"a", "a")])
    result = stored.dvc("import-url", "--version-aware", f"{URL}/a", ok=False)
    assert "it keeps no versions" in result.text


def test_a_branch_of_a_bucket_is_refused(stored) -> None:
    refused = stored.dvc("remote", "modify", "hub", "url", f"{URL}@dev", ok=False)
    assert "do not support a revision" in refused.text
    stored.write(".dvc/config", stored.read(".dvc/config").decode().replace(URL, f"{URL}@dev"))
    assert "do not support a revision" in stored.dvc("push", ok=False).text


def test_publish_shows_plain_names_whose_bytes_are_stored_once(
    make_project, bucket: str, api: HfApi, hub: Hub
) -> None:
    project = make_project(url=URL, publish="checkpoints")
    project.write("checkpoints/a.pt", b"\0a" * 5000)
    project.write("checkpoints/README.md", "# Card\n")
    project.dvc("add", "checkpoints")
    project.dvc("push")
    plain = {name for name in files(api) if not name.startswith("files/md5/")}
    assert plain == {"a.pt", "README.md", "files/published.json"}
    hashes = {item.path: item.xet_hash for item in api.list_bucket_tree(BUCKET, recursive=True)}
    assert list(hashes.values()).count(hashes["a.pt"]) == 2
    (project.folder / "checkpoints/a.pt").unlink()
    project.dvc("add", "checkpoints")
    project.dvc("push")
    assert "a.pt" not in files(api)
    hub.requests.clear()
    project.dvc("push")
    assert hub.requests.count("POST", "*/batch") == 0


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_create_makes_a_missing_bucket(make_project, api: HfApi, visibility: str) -> None:
    project = make_project(url=URL, create=visibility)
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    project.dvc("push")
    assert api.bucket_info(BUCKET).private is (visibility == "private")


@pytest.mark.parametrize("command", [("push",), ("status", "--cloud")])
def test_a_missing_bucket_is_named_with_the_command_that_makes_it(
    make_project, hub: Hub, command: tuple[str, ...]
) -> None:
    project = make_project(url=URL)
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    result = project.dvc(*command, ok=False)
    assert f"{URL}: the bucket does not exist" in result.text
    assert f"hf buckets create {BUCKET}" in result.text


def test_a_token_that_may_only_read_is_told_what_it_lacks(stored, hub: Hub) -> None:
    result = stored.dvc("push", ok=False, HF_TOKEN=hub.token("alice", role="read"))
    assert "the Hub does not allow it: " in result.text
    assert "write permission to the bucket" in result.text


def test_a_damaged_download_is_refused_and_not_kept(stored, hub: Hub, tmp_path: Path) -> None:
    stored.dvc("push")
    clone = stored.clone(tmp_path / "clone")
    hub.fail("GET", "*/resolve/*", corrupt=True, times=None)
    assert clone.dvc("pull", "x.bin", ok=False).status
    hub.recover()
    clone.dvc("pull", "x.bin")
    assert clone.read("x.bin") == b"\0x"
