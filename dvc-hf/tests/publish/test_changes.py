"""Pushes that concern the Hub or do not, names that change their kind, objects that were deleted there."""

from collections.abc import Callable
from typing import Any

import pytest
from dvc_hf.publish.plan import crowded_folders
from huggingface_hub import HfApi
from minihub.testing import Hub

REPO = "alice/checkpoints"
Names = Callable[..., set[str]]


@pytest.fixture
def two_remotes(publishing: Any) -> Any:
    """A project that shows a folder on the Hub, and has a file that goes to a folder of this machine."""
    publishing.dvc("remote", "add", "store", "../store")
    publishing.write("notes.bin", b"\0notes")
    publishing.dvc("add", "notes.bin")
    pin = publishing.read("notes.bin.dvc").decode()
    publishing.write("notes.bin.dvc", pin.rstrip() + "\n  remote: store\n")
    return publishing


@pytest.mark.parametrize(
    "command",
    [
        ("push", "notes.bin"),
        ("push", "notes.bin.dvc"),
        ("push", "--remote", "store"),
        ("push", "--remote", "store", "checkpoints"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("create", [False, True], ids=["as it is", "create"])
def test_a_push_that_sends_nothing_to_the_hub_asks_it_nothing(
    two_remotes, hub: Hub, command: tuple[str, ...], create: bool
) -> None:
    if create:
        two_remotes.dvc("remote", "modify", "hub", "create", "private")
    hub.requests.clear()
    two_remotes.dvc(*command)
    assert [record.path for record in hub.requests] == []
    assert (two_remotes.folder.parent / "store" / "files" / "md5").is_dir()


def test_a_push_of_one_file_shows_the_folder_that_it_is_in(two_remotes, names: Names) -> None:
    two_remotes.dvc("push", "checkpoints/BEATs.pt")
    assert "BEATs.pt" in names()


def test_a_push_of_all_goes_to_both(two_remotes, names: Names) -> None:
    two_remotes.dvc("push")
    assert names() == {"BEATs.pt", "openbeats.pt", "README.md"}


@pytest.mark.parametrize("content", [b"\0" + b"large" * 9_000, b"a text\n"], ids=["large", "text"])
def test_a_folder_that_becomes_a_file_is_shown_by_the_same_push(
    publishing, api: HfApi, names: Names, commits: Callable[[], int], content: bytes
) -> None:
    publishing.write("checkpoints/part/one.bin", b"\0one")
    publishing.write("checkpoints/part/two.txt", b"two\n")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    before = commits()
    for file in ("one.bin", "two.txt"):
        (publishing.folder / "checkpoints/part" / file).unlink()
    (publishing.folder / "checkpoints/part").rmdir()
    publishing.write("checkpoints/part", content)
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    assert names() == {"BEATs.pt", "openbeats.pt", "README.md", "part"}
    assert commits() == before + 1
    (publishing.folder / "checkpoints/part").unlink()
    publishing.write("checkpoints/part/one.bin", b"\0one")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    assert names() == {"BEATs.pt", "openbeats.pt", "README.md", "part/one.bin"}
    assert commits() == before + 2
    publishing.dvc("push")
    assert commits() == before + 2


def objects_of(api: HfApi) -> list[str]:
    listed = api.list_repo_files(REPO, repo_type="dataset")
    return [file for file in listed if file.startswith("files/md5/")]


def test_an_object_that_was_deleted_on_the_hub_is_missed_and_sent_again(publishing, api: HfApi) -> None:
    publishing.dvc("push")
    assert "in sync" in publishing.dvc("status", "--cloud").out
    for path in objects_of(api):
        api.delete_file(path, REPO, repo_type="dataset")
        assert "in sync" not in publishing.dvc("status", "--cloud").out, path
        publishing.dvc("push")
        assert path in objects_of(api)
        assert "in sync" in publishing.dvc("status", "--cloud").out


def test_a_shown_name_that_was_deleted_on_the_hub_is_shown_again(
    publishing, api: HfApi, names: Names
) -> None:
    publishing.dvc("push")
    api.delete_file("BEATs.pt", REPO, repo_type="dataset")
    publishing.dvc("push")
    assert names() == {"BEATs.pt", "openbeats.pt", "README.md"}


@pytest.mark.parametrize(("theirs", "ours"), [("part/theirs.txt", "part"), ("part", "part/ours.bin")])
def test_what_somebody_else_put_in_the_way_of_a_name_stays(
    publishing, api: HfApi, names: Names, theirs: str, ours: str
) -> None:
    api.upload_file(path_or_fileobj=b"theirs", path_in_repo=theirs, repo_id=REPO, repo_type="dataset")
    publishing.write(f"checkpoints/{ours}", b"\0ours")
    publishing.dvc("add", "checkpoints")
    assert f"'{ours}' in hf://datasets/{REPO} was not written by DVC" in publishing.dvc("push").text
    assert names() == {"BEATs.pt", "openbeats.pt", "README.md", theirs}


def test_a_folder_becomes_a_file_in_a_push_of_many_commits(publishing, small_commits, names: Names) -> None:
    publishing.write("checkpoints/part/one.bin", b"\0one")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    (publishing.folder / "checkpoints/part/one.bin").unlink()
    (publishing.folder / "checkpoints/part").rmdir()
    for name in ("part", "other.bin", "qart.bin"):
        publishing.write(f"checkpoints/{name}", f"\0{name}")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    assert names() == {"BEATs.pt", "openbeats.pt", "README.md", "part", "other.bin", "qart.bin"}


def test_a_folder_with_more_entries_than_the_hub_takes_is_told_before_it_is_sent() -> None:
    files = [f"audio/{number:05}.wav" for number in range(10_001)]
    deep = [f"deep/{number:05}/{name}" for number in range(6_000) for name in ("a", "b")]
    assert crowded_folders([*files, *deep, "README.md"]) == {"audio": 10_001}
    assert crowded_folders(files[:10_000]) == {}
    assert crowded_folders(f"{number:05}.wav" for number in range(10_002)) == {"": 10_002}
