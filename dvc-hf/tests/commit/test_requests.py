"""What each operation costs, counted in the Hub's own log: a regression is a failing test."""

import json
import logging
import os
from collections import Counter
from hashlib import md5
from typing import Any

import dvc_hf.commit.batch as commits_module
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from minihub.testing import Hub

REPO = "alice/checkpoints"
LONG = bool(os.environ.get("DVC_HF_LONG"))  # `make dvc-faults`
KINDS = ("paths-info", "preupload", "commit", "tree", "resolve", "lfs/objects/batch", "verify", "revision")

logger = logging.getLogger(__name__)


def cost(hub: Hub) -> dict[str, int]:
    """Requests by kind; whatever has no name here is listed by its path."""
    found: Counter[str] = Counter()
    for record in hub.requests:
        kinds = [kind for kind in KINDS if f"/{kind}" in record.path]
        found["put" if record.method == "PUT" else kinds[0] if kinds else record.path] += 1
    return dict(found)


@pytest.fixture
def folder(project: Any) -> Any:
    """Two folders of 50 files and 3 files beside them: 105 objects."""
    for number in range(100):
        project.write(f"d{number % 2}/{number}.bin", f"\0{number}")
    for name in "xyz":
        project.write(f"{name}.bin", f"\0{name}")
    project.dvc("add", "d0", "d1", "x.bin", "y.bin", "z.bin")
    return project


def test_a_push_of_105_objects(folder, hub: Hub) -> None:
    hub.requests.clear()
    folder.dvc("push")
    assert cost(hub) == {
        "paths-info": 2,  # what is there, and whether the commit has all of it
        "preupload": 5,  # each folder's files, each folder's listing, the files beside them
        "resolve": 2,  # the rules of `.gitattributes`, on the branch and then at the commit to go on
        "revision": 1,  # once in a repository, for the commit that brings the rule for objects
        "lfs/objects/batch": 5,
        "put": 105,
        "verify": 105,
        "commit": 1,
    }
    sent = sorted(record.received for record in hub.requests.matching("PUT"))
    assert sum(sent[:-2]) == sum(len(f"\0{number}") for number in range(100)) + 6  # and the two listings


def test_a_push_of_nothing_new(folder, hub: Hub) -> None:
    folder.dvc("push")
    hub.requests.clear()
    folder.dvc("push")
    assert cost(hub) == {"paths-info": 1}  # for each object that the listings name


def test_the_status_of_the_cloud(folder, hub: Hub) -> None:
    folder.dvc("push")
    hub.requests.clear()
    folder.dvc("status", "--cloud")
    assert cost(hub) == {"paths-info": 1}


def test_a_pull_of_105_objects(folder, hub: Hub, tmp_path) -> None:
    folder.dvc("push")
    folder.commit()
    clone = folder.clone(tmp_path / "clone")
    hub.requests.clear()
    clone.dvc("pull")
    assert cost(hub) == {"resolve": 107, "paths-info": 7}


def test_a_change_of_seven_files(folder, hub: Hub, commits) -> None:
    folder.dvc("push")
    for number in range(0, 10, 2):
        folder.write(f"d0/{number}.bin", f"\0new{number}")
    (folder.folder / "d0/20.bin").unlink()
    folder.write("d0/new.bin", b"\0new")
    folder.dvc("add", "d0")
    hub.requests.clear()
    folder.dvc("push")
    assert hub.requests.count("POST", "*/commit/*") == 1
    assert hub.requests.count("PUT") == 7  # six files and the listing


def upload_of(files: int, listings: int = 0) -> dict[str, int]:
    """The requests that carry that many large files, and listings, through LFS."""
    count = files + listings
    return {"lfs/objects/batch": 1 + bool(listings), "put": count, "verify": count, "commit": 1}


# What each command asks for, and the bytes of content and commits that it sends, one command after another.
PLAIN = (
    # `revision` asks for the commit at which all names are compared, and on which alone they are committed.
    (("push",), {"paths-info": 4, "preupload": 2, "revision": 1, "resolve": 2, **upload_of(50, 1)}, 32_783),
    (("push",), {"paths-info": 3, "revision": 1, "resolve": 1}, 0),
    (("status", "--cloud"), {"paths-info": 1}, 0),
    (("data", "status", "--not-in-remote"), {"tree": 1, "paths-info": 1}, 0),
    (("fetch",), {"resolve": 52, "paths-info": 4}, 0),
    (("pull",), {"paths-info": 1}, 0),
    (("push",), {"paths-info": 4, "revision": 1, "resolve": 2, "preupload": 2, **upload_of(1, 1)}, 13_763),
    (
        ("gc", "--workspace", "--cloud", "--force"),
        {"revision": 1, "tree": 2, "paths-info": 1, "commit": 1},  # first the commit that it reckons with
        319,
    ),
)
WORKTREE = (
    (("push",), {"tree": 1, "paths-info": 2, "preupload": 1, **upload_of(50)}, 7_912),
    (("push",), {"tree": 1, "paths-info": 2}, 0),
    (("fetch",), {"revision": 1, "paths-info": 1, "resolve": 50}, 0),
    (("pull",), {"revision": 1, "paths-info": 1}, 0),
    (("push",), {"tree": 1, "paths-info": 3, "preupload": 1, **upload_of(1)}, 237),
)
BY_URL = (
    (("import-url", "URL", "x.bin"), {"paths-info": 12, "resolve": 1}, 0),
    (("update", "x.bin.dvc"), {"paths-info": 6}, 0),
    (("list-url", "--recursive", "ROOT"), {"revision": 1, "tree": 1}, 0),
    (("get-url", "URL", "y.bin"), {"paths-info": 3, "resolve": 1}, 0),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "file", "operations"),
    [({"publish": "d"}, "7.bin", PLAIN + BY_URL), ({"worktree": "true"}, "d/7.bin", WORKTREE + BY_URL)],
    ids=["publish", "worktree"],
)
def test_what_each_operation_costs(
    make_project, repo, hub: Hub, tmp_path, option: dict[str, str], file: str, operations: Any
) -> None:
    """Fifty files in a folder; a clone fetches and pulls; one file changes; the rest is asked by url."""
    project = make_project(**option)
    for number in range(50):
        project.write(f"d/{number}.bin", f"\0{number}")
    project.dvc("add", "d")
    names = {"ROOT": f"hf://datasets/{REPO}", "URL": f"hf://datasets/{REPO}/{file}"}
    clone = None
    costs = []
    for command, _, _ in operations:
        if command[0] == "fetch":
            project.commit()
            clone = project.clone(tmp_path / "clone")
        elif command == ("push",) and clone:
            project.write("d/1.bin", "\0new")
            project.dvc("add", "d")
        where = clone if clone and command[0] in ("fetch", "pull") else project
        hub.requests.clear()
        where.dvc(*(names.get(word, word) for word in command))
        costs.append((command, cost(hub), sent(hub)))
    assert costs == list(operations)


def sent(hub: Hub) -> int:
    """Bytes of content and of commits."""
    carriers = (*hub.requests.matching("PUT"), *hub.requests.matching("POST", "*/commit/*"))
    return sum(record.received for record in carriers)


@pytest.mark.skipif(not LONG, reason="10,000 files go to the Hub: make dvc-faults")
def test_ten_thousand_files_for_real(project: Any, hub: Hub, commits) -> None:
    for number in range(10_000):
        project.write(f"d/{number // 1000}/{number}.txt", f"{number}\n")
    project.dvc("add", "d")
    hub.requests.clear()
    project.dvc("push")
    logger.info("push of 10,000 files: %s, %d commits", cost(hub), commits())
    assert commits() <= 10
    for command in (("push",), ("status", "--cloud")):
        hub.requests.clear()
        project.dvc(*command)
        logger.info("%s: %s", command, cost(hub))
        assert len(hub.requests) <= 15


@pytest.fixture
def ten_thousand(project: Any, api: HfApi) -> Any:
    """A folder of 10,000 files that is on the remote already: the listing is, and DVC trusts it."""
    entries = sorted(
        ({"md5": md5(str(n).encode()).hexdigest(), "relpath": f"{n}.txt"} for n in range(10_000)),
        key=lambda entry: entry["relpath"],
    )
    listing = json.dumps(entries).encode()
    oid = md5(listing).hexdigest()
    change = CommitOperationAdd(path_in_repo=f"files/md5/{oid[:2]}/{oid[2:]}.dir", path_or_fileobj=listing)
    api.create_commit(REPO, [change], commit_message="listing", repo_type="dataset")
    for number in range(10_000):
        content = str(number)
        digest = md5(content.encode()).hexdigest()
        project.write(f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}", content)
    project.write(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}.dir", listing)
    project.write(
        "d.dvc", f"outs:\n- md5: {oid}.dir\n  size: 38890\n  nfiles: 10000\n  hash: md5\n  path: d\n"
    )
    return project


@pytest.mark.parametrize("command", [("push",), ("status", "--cloud")])
def test_asking_about_ten_thousand_files_costs_at_most_fifteen_requests(
    ten_thousand, hub: Hub, command: tuple[str, ...]
) -> None:
    ten_thousand.dvc(*command)
    hub.requests.clear()
    ten_thousand.dvc(*command)
    assert len(hub.requests) <= 15


def test_single_files_are_asked_about_a_thousand_at_a_time(project, hub: Hub) -> None:
    outs = []
    for number in range(2_500):
        digest = md5(str(number).encode()).hexdigest()
        outs.append(f"- md5: {digest}\n  size: {len(str(number))}\n  hash: md5\n  path: f{number}\n")
        project.write(f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}", str(number))
    project.write("all.dvc", "outs:\n" + "".join(outs))
    hub.requests.clear()
    project.dvc("status", "--cloud")
    assert cost(hub) == {"paths-info": 3}


def test_more_files_than_a_commit_may_hold_make_a_few_with_the_listing_last(
    project, hub: Hub, commits, api: HfApi
) -> None:
    for number in range(1_100):
        project.write(f"d/{number}.txt", f"{number}\n")
    project.dvc("add", "d")
    hub.requests.clear()
    project.dvc("push")
    assert commits() == 2
    assert hub.requests.count("POST", "*/preupload/*") == 6
    first = api.list_repo_commits(REPO, repo_type="dataset")[1].commit_id
    files = api.list_repo_files(REPO, repo_type="dataset", revision=first)
    assert [file for file in files if file.endswith(".dir")] == []


def test_the_listing_of_a_folder_rides_along_with_the_files_that_fill_a_commit(
    project, hub: Hub, commits
) -> None:
    for number in range(1_000):
        project.write(f"d/{number}.txt", f"{number}\n")
    project.dvc("add", "d")
    project.dvc("push")
    assert commits() == 1


@pytest.mark.parametrize(
    ("changes", "seconds", "then"), [(1000, 0.5, 4000), (1000, 20, 2000), (1000, 80, 500), (1000, 900, 250)]
)
def test_the_next_commit_is_as_large_as_the_hub_takes_in_forty_seconds(changes, seconds, then) -> None:
    assert commits_module._fitting(changes, seconds) == then


def test_a_commit_that_is_too_large_is_made_smaller(folder, hub: Hub, commits) -> None:
    hub.fail("POST", "*/commit/*", status=413)
    folder.dvc("push")
    assert commits() == 2  # 52, then 52 and the listing
