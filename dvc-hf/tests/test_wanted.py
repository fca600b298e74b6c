"""A push or a gc that ends with 0 has kept what it promises: all that its listings name is there."""

import shutil
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest
from huggingface_hub import HfApi
from minihub.testing import Hub

REPO = "alice/checkpoints"
# Before the push makes its commit, somebody else's gc makes one.
GC_BEFORE_THE_COMMIT = """
from dvc_hf.hub.repo import RepoClient
from huggingface_hub import HfApi
write = RepoClient.write

def late(*args):
    RepoClient.write = write
    HfApi().delete_file("{path}", "alice/checkpoints", repo_type="dataset")
    return write(*args)

RepoClient.write = late
"""
# Before the gc sees what is there, somebody else's push makes a commit.
PUSH_BEFORE_THE_LISTING = """
from dvc_hf.hub.repo import RepoClient
from huggingface_hub import HfApi
tree = RepoClient.tree

def late(*args, **kwargs):
    RepoClient.tree = tree
    where = {{"repo_id": "alice/checkpoints", "repo_type": "dataset"}}
    HfApi().upload_file(path_or_fileobj=b"new", path_in_repo="{path}", **where)
    return tree(*args, **kwargs)

RepoClient.tree = late
"""
# The disk is full when the list of the project's files is half written.
FULL_DISK = """
from sqlite3 import OperationalError
from sqltrie.sqlite.sqlite import SQLiteTrie
write, count = SQLiteTrie.__setitem__, 0

def full(trie, key, value):
    global count
    count += 1
    if count == {number}:
        raise OperationalError("database or disk is full")
    write(trie, key, value)

SQLiteTrie.__setitem__ = full
"""


def object_of(content: bytes) -> str:
    oid = md5(content).hexdigest()
    return f"files/md5/{oid[:2]}/{oid[2:]}"


def drop_from_cache(project: Any, content: bytes) -> None:
    (project.folder / ".dvc/cache" / object_of(content)).unlink()


def drop_cache(project: Any) -> None:
    shutil.rmtree(project.folder / ".dvc/cache")


@pytest.fixture
def folder(project: Any) -> Any:
    """A project with a folder of three files, on the remote."""
    return filled(project)


def filled(project: Any) -> Any:
    for name in "abc":
        project.write(f"d/{name}.bin", f"\0{name}")
    project.dvc("add", "d")
    project.dvc("push")
    project.commit()
    return project


def renew(project: Any) -> None:
    """One file of the folder has another content."""
    project.write("d/a.bin", b"\0new")
    project.dvc("add", "d")


def test_a_push_whose_listing_names_a_file_that_is_nowhere_fails(folder) -> None:
    renew(folder)
    drop_from_cache(folder, b"\0new")
    failed = folder.dvc("push", ok=False)
    assert "1 files failed to upload" in failed.err
    folder.dvc("commit", "--force", "d")
    folder.dvc("push")


def test_a_push_asks_for_every_file_of_a_listing_that_is_on_the_remote(folder, api: HfApi, served) -> None:
    api.delete_file(object_of(b"\0b"), REPO, repo_type="dataset")
    folder.dvc("push")
    assert served()[object_of(b"\0b")] == b"\0b"


def test_the_status_of_the_cloud_asks_for_every_file(folder, api: HfApi) -> None:
    api.delete_file(object_of(b"\0b"), REPO, repo_type="dataset")
    assert "in sync" not in folder.dvc("status", "--cloud").out


def test_a_clone_that_has_not_all_in_its_cache_pushes_what_it_has(folder, served, tmp_path) -> None:
    clone = folder.clone(tmp_path / "clone")
    clone.write("own.bin", b"\0own")
    clone.dvc("add", "own.bin")
    clone.dvc("push")
    assert served()[object_of(b"\0own")] == b"\0own"


@pytest.mark.parametrize("suffix", ["", ".dir"])
def test_a_pull_of_what_is_nowhere_fails(folder, api: HfApi, tmp_path, suffix: str) -> None:
    """A file of a folder, or the folder's listing."""
    files = api.list_repo_files(REPO, repo_type="dataset")
    gone = object_of(b"\0b") if not suffix else next(path for path in files if path.endswith(suffix))
    api.delete_file(gone, REPO, repo_type="dataset")
    clone = folder.clone(tmp_path / "clone")
    clone.dvc("pull", ok=False)
    clone.dvc("pull", ok=False)


def test_a_name_whose_object_is_nowhere_is_an_error(publishing) -> None:
    publishing.write("checkpoints/README.md", "# Another card\n")
    publishing.dvc("add", "checkpoints")
    publishing.write("other.bin", b"\0other")
    publishing.dvc("add", "other.bin")
    drop_from_cache(publishing, b"# Another card\n")
    failed = publishing.dvc("push", "other.bin", ok=False)
    assert "cannot show 'README.md'" in failed.err


def test_a_name_whose_object_was_not_to_be_pushed_is_shown_later(publishing, names) -> None:
    publishing.write("other.bin", b"\0other")
    publishing.dvc("add", "other.bin")
    publishing.dvc("push", "other.bin")
    assert names() == set()
    publishing.dvc("push")
    assert names() == {"BEATs.pt", "openbeats.pt", "README.md"}


@pytest.mark.parametrize("mode", ["version_aware", "worktree"])
def test_a_version_that_is_nowhere_is_an_error_and_one_on_the_remote_is_none(
    make_project, repo, mode: str
) -> None:
    project = filled(make_project(**{mode: "true"}))
    drop_cache(project)
    project.dvc("push")
    renew(project)
    drop_from_cache(project, b"\0new")
    failed = project.dvc("push", ok=False)
    assert "d/a.bin': it is neither in DVC's cache nor on the remote" in failed.err


def test_a_push_that_relies_on_what_a_gc_removes_meanwhile_fails_and_the_next_mends(folder, served) -> None:
    renew(folder)
    relied = object_of(b"\0b")
    failed = folder.dvc("push", ok=False, before=GC_BEFORE_THE_COMMIT.format(path=relied))
    assert f"cannot confirm '{relied}'" in failed.err
    assert "a gc removed it meanwhile" in failed.err
    folder.dvc("push")
    assert served()[relied] == b"\0b"


def test_a_gc_deletes_nothing_where_a_push_came_between(folder, served) -> None:
    renew(folder)
    folder.dvc("push")
    before = served()
    collect = ("gc", "--workspace", "--cloud", "--force")
    failed = folder.dvc(*collect, ok=False, before=PUSH_BEFORE_THE_LISTING.format(path=object_of(b"new")))
    assert "someone committed to it meanwhile" in failed.err
    assert served() == {**before, object_of(b"new"): b"new"}
    folder.dvc(*collect)
    assert object_of(b"\0a") not in served()


def test_a_gc_that_the_hub_refuses_for_no_reason_is_tried_again(folder, hub: Hub, served) -> None:
    renew(folder)
    folder.dvc("push")
    hub.fail("POST", "*/commit/*", status=412)
    folder.dvc("gc", "--workspace", "--cloud", "--force")
    assert object_of(b"\0a") not in served()


def test_a_gc_that_cannot_know_what_a_folder_uses_deletes_nothing(folder, served, tmp_path) -> None:
    clone = folder.clone(tmp_path / "clone")
    clone.dvc("pull")
    renew(folder)
    folder.commit()
    before = served()
    clone.git("pull", "--quiet")  # its listing is in the other clone alone
    failed = clone.dvc("gc", "--workspace", "--cloud", "--force", ok=False)
    assert "cannot tell what 'd' uses" in failed.err
    assert served() == before
    assert (clone.folder / ".dvc/cache" / object_of(b"\0b")).exists()
    folder.dvc("push")
    clone.dvc("gc", "--workspace", "--cloud", "--force")
    assert object_of(b"\0a") not in served()


@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_push_that_found_the_disk_full_is_completed_by_the_next(project, served, number: int) -> None:
    for name in "abc":
        project.write(f"d/{name}.bin", f"\0{name}")
    project.dvc("add", "d")
    project.dvc("push", ok=None, before=FULL_DISK.format(number=number))
    project.dvc("push")
    assert {object_of(f"\0{name}".encode()) for name in "abc"} <= served().keys()


def test_a_pull_takes_the_version_of_the_dvc_file_and_not_the_one_that_dvc_noted(
    make_project, repo, api: HfApi, tmp_path
) -> None:
    project = make_project(version_aware="true")
    push_content(project, b"\0a")
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    push_content(project, b"\0b")
    api.super_squash_history(REPO, repo_type="dataset")  # the version that the clone has noted is gone
    push_content(project, b"\0a")
    clone.git("pull", "--quiet")
    drop_cache(clone)
    (clone.folder / "x.bin").unlink()
    clone.dvc("pull")
    assert clone.read("x.bin") == b"\0a"


def push_content(project: Any, content: bytes) -> None:
    project.write("x.bin", content)
    project.dvc("add", "x.bin")
    project.dvc("push")
    project.commit()


HOOKS: tuple[tuple[str, Callable[..., None], dict[str, Any]], ...] = (
    ("status", test_the_status_of_the_cloud_asks_for_every_file, {}),
    ("transfer", test_a_push_whose_listing_names_a_file_that_is_nowhere_fails, {}),
    (
        "_filter_missing",
        test_a_version_that_is_nowhere_is_an_error_and_one_on_the_remote_is_none,
        {"mode": "version_aware"},
    ),
    ("Output._collect_used_dir_cache", test_a_gc_that_cannot_know_what_a_folder_uses_deletes_nothing, {}),
    ("Repo.gc", test_a_gc_deletes_nothing_where_a_push_came_between, {}),
)


@pytest.mark.parametrize(("hook", "guarded", "arguments"), HOOKS)
def test_without_its_hook_a_promise_is_broken(
    fails_without, hook: str, guarded, arguments: dict[str, Any]
) -> None:
    fails_without(hook, guarded, **arguments)
