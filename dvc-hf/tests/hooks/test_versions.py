"""The version_aware and worktree modes, and the losses of data that DVC has in them without our guards."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import CommitOperationAdd, HfApi
from minihub.testing import Hub

REPO = "alice/checkpoints"


def files_of(project: Any, name: str) -> list[dict[str, Any]]:
    return yaml.safe_load(project.read(name))["outs"][0]["files"]


@pytest.fixture(params=["version_aware", "worktree"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def versioned(make_project: Callable[..., Any], repo: str) -> Callable[..., Any]:
    """A project with three files in a folder that DVC tracks."""

    def make(mode: str, **options: str) -> Any:
        project = make_project(**{mode: "true", **options})
        for name in "abc":
            project.write(f"d/{name}", f"\0{name}1")
        project.dvc("add", "d")
        return project

    return make


def test_a_push_is_one_commit_and_writes_each_files_version(
    versioned, mode: str, commits, api: HfApi
) -> None:
    project = versioned(mode)
    project.dvc("push")
    assert commits() == 1
    head = api.repo_info(REPO, repo_type="dataset").sha
    assert [file["cloud"]["hub"]["version_id"] for file in files_of(project, "d.dvc")] == [head] * 3
    before = project.read("d.dvc")
    project.dvc("push")
    assert commits() == 1
    assert project.read("d.dvc") == before


def test_a_clone_pulls_what_was_pushed(versioned, mode: str, tmp_path) -> None:
    project = versioned(mode)
    project.dvc("push")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("d/b") == b"\0b1"


def test_a_pull_reads_each_file_once(versioned, mode: str, tmp_path, hub: Hub) -> None:
    project = versioned(mode)
    project.dvc("push")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    hub.requests.clear()
    clone.dvc("pull")
    assert hub.requests.count("GET", "*/resolve/*") == 3


def test_a_commit_that_fails_leaves_the_dvc_file_whole_and_the_next_push_sends_all(
    versioned, mode: str, hub: Hub, commits
) -> None:
    project = versioned(mode)
    hub.fail("POST", "*/commit/*", status=403, times=None)
    project.dvc("push", ok=False)
    assert len(files_of(project, "d.dvc")) == 3
    hub.recover()
    project.dvc("push")
    assert commits() == 1
    assert all(file["cloud"]["hub"]["version_id"] for file in files_of(project, "d.dvc"))


def test_a_push_of_one_file_of_a_folder_keeps_the_others_in_the_dvc_file(versioned, mode: str) -> None:
    project = versioned(mode)
    project.dvc("push", "d/a")
    files = files_of(project, "d.dvc")
    assert [file["relpath"] for file in files] == ["a", "b", "c"]
    assert ["cloud" in file for file in files] == [True, False, False]
    project.dvc("push")
    assert all("cloud" in file for file in files_of(project, "d.dvc"))


def test_a_push_of_an_older_state_deletes_nothing_at_the_head(versioned, names) -> None:
    project = versioned("version_aware")
    project.dvc("push")
    project.commit("one")
    project.write("d/a", "\0a2")
    project.dvc("add", "d")
    project.dvc("push")
    project.commit("two")
    project.git("checkout", "--quiet", "HEAD~1")
    project.dvc("checkout")
    project.dvc("push")
    assert names() == {"d/a", "d/b", "d/c"}


def test_a_worktree_shows_an_older_state_again(versioned, api: HfApi, tmp_path) -> None:
    project = versioned("worktree")
    project.dvc("push")
    project.commit("one")
    project.write("d/a", "\0a2")
    project.dvc("add", "d")
    project.dvc("push")
    project.commit("two")
    project.git("checkout", "--quiet", "HEAD~1")
    project.dvc("checkout")
    project.dvc("push")
    path = api.hf_hub_download(REPO, "d/a", repo_type="dataset", local_dir=tmp_path / "download")
    assert Path(path).read_bytes() == b"\0a1"


def test_a_file_that_left_a_worktree_is_deleted_only_where_prune_is_said(versioned, names, commits) -> None:
    project = versioned("worktree")
    project.dvc("push")
    (project.folder / "d/c").unlink()
    project.dvc("add", "d")
    project.dvc("push")
    assert names() == {"d/a", "d/b", "d/c"}
    project.dvc("remote", "modify", "hub", "prune", "true")
    pushed = project.dvc("push")
    assert names() == {"d/a", "d/b"}
    assert "1 removed" in pushed.out
    assert commits() == 2


def test_prune_deletes_nothing_for_a_cold_cache_or_a_part_of_a_folder(versioned, names, tmp_path) -> None:
    project = versioned("worktree", prune="true")
    project.dvc("push")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    clone.dvc("push", ok=None)
    project.dvc("push", "d/a")
    assert names() == {"d/a", "d/b", "d/c"}


def test_prune_leaves_what_dvc_does_not_track(versioned, api: HfApi, names) -> None:
    change = CommitOperationAdd(path_in_repo="notes.txt", path_or_fileobj=b"mine")
    api.create_commit(REPO, [change], commit_message="by hand", repo_type="dataset")
    project = versioned("worktree", prune="true")
    project.dvc("push")
    assert "notes.txt" in names()


def test_versions_that_the_hub_has_lost_are_pushed_again(versioned, api: HfApi, names) -> None:
    project = versioned("version_aware")
    project.dvc("push")
    api.delete_repo(REPO, repo_type="dataset")
    api.create_repo(REPO, repo_type="dataset")
    project.dvc("push")
    assert names() == {"d/a", "d/b", "d/c"}
    head = api.repo_info(REPO, repo_type="dataset").sha
    assert {file["cloud"]["hub"]["version_id"] for file in files_of(project, "d.dvc")} == {head}


def test_a_pull_of_versions_that_the_hub_has_lost_says_so(versioned, mode: str, api, tmp_path) -> None:
    project = versioned(mode)
    project.dvc("push")
    project.commit()
    api.delete_repo(REPO, repo_type="dataset")
    api.create_repo(REPO, repo_type="dataset")
    pulled = project.clone(tmp_path / "clone").dvc("pull", ok=False)
    assert "the repository has no commit" in pulled.text
    assert "push from a clone that has" in pulled.text


@pytest.mark.parametrize("was_file", [True, False])
def test_a_file_and_a_folder_change_places_in_one_commit(versioned, names, commits, was_file: bool) -> None:
    project = versioned("version_aware")
    for kind in (was_file, not was_file):
        project.run("rm", "-rf", "d/x")
        project.write("d/x" if kind else "d/x/y", "\0x")
        project.dvc("add", "d")
        project.dvc("push")
    assert commits() == 2
    assert names() == {"d/a", "d/b", "d/c", "d/x/y" if was_file else "d/x"}


def test_an_import_is_up_to_date_after_a_commit_that_does_not_touch_it(
    make_project, repo: str, api: HfApi
) -> None:
    def commit(path: str, content: bytes) -> None:
        change = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
        api.create_commit(REPO, [change], commit_message=path, repo_type="dataset")

    commit("a.bin", b"\0a")
    project = make_project()
    project.dvc("import-url", "--version-aware", "hf://datasets/alice/checkpoints/a.bin")
    commit("b.bin", b"\0b")
    assert "up to date" in project.dvc("status").out
    commit("a.bin", b"\0a2")
    assert "update available" in project.dvc("status").out
    project.dvc("update", "a.bin.dvc")
    assert project.read("a.bin") == b"\0a2"


@pytest.mark.parametrize("command", [("status", "--cloud"), ("gc", "-c", "-w", "-f"), ("push", "-T")])
def test_what_dvc_refuses_for_a_mode_keeps_dvcs_own_message(versioned, mode: str, command) -> None:
    result = versioned(mode).dvc(*command, ok=False)
    assert "unsupported for cloud versioned remotes" in result.text


@pytest.mark.parametrize(
    ("hook", "guarded", "arguments"),
    [
        (
            "_merge_push_meta",
            test_a_push_of_one_file_of_a_folder_keeps_the_others_in_the_dvc_file,
            {"mode": "version_aware"},
        ),
        (
            "_merge_push_meta",
            test_a_commit_that_fails_leaves_the_dvc_file_whole_and_the_next_push_sends_all,
            {"mode": "worktree"},
        ),
        ("compare", test_a_push_of_an_older_state_deletes_nothing_at_the_head, {}),
        ("_prune_existing_versions", test_a_worktree_shows_an_older_state_again, {}),
        ("_prune_existing_versions", test_versions_that_the_hub_has_lost_are_pushed_again, {}),
        ("md5", test_a_pull_reads_each_file_once, {"mode": "version_aware"}),
    ],
)
def test_without_its_guard_dvc_loses_what_it_guards(
    fails_without, hook: str, guarded: Callable[..., None], arguments: dict[str, str]
) -> None:
    fails_without(hook, guarded, **arguments)


@pytest.mark.parametrize("landed", [0, 1])
def test_a_push_of_two_commits_that_breaks_is_completed_by_the_next(
    versioned, mode: str, small_commits, hub: Hub, commits, served, tmp_path, landed: int
) -> None:
    project = versioned(mode)
    project.dvc("push")
    made = commits()
    for name in "ab":
        project.write(f"d/{name}", f"\0{name}2")
    (project.folder / "d/c").unlink()
    project.dvc("add", "d")
    broke = hub.fail("POST", "*/commit/*", status=403, skip=landed)
    project.dvc("push", ok=False)
    assert broke.times == 0
    assert commits() == made + landed
    assert sum("cloud" in file for file in files_of(project, "d.dvc")) == landed
    project.dvc("push")
    assert {name: content for name, content in served().items() if name != "d/c"} == {
        "d/a": b"\0a2",
        "d/b": b"\0b2",
    }
    project.commit()
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert (clone.read("d/a"), clone.read("d/b")) == (b"\0a2", b"\0b2")


def test_a_file_that_fails_is_not_recorded_with_the_version_before(
    make_project, repo: str, mode: str, hub: Hub, tmp_path
) -> None:
    project = make_project(**{mode: "true"})
    for text in ("1", "2"):
        project.write("one.bin", f"\0{text}")
        project.dvc("add", "one.bin")
        if text == "2":
            hub.fail("POST", "*/commit/*", status=403)
            project.dvc("push", ok=False)
        project.dvc("push")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("one.bin") == b"\x002"


def test_a_push_of_the_same_process_vouches_for_no_later_one(
    make_project, repo: str, mode: str, hub: Hub, tmp_path
) -> None:
    project = make_project(**{mode: "true"})
    project.write(
        "push_twice.py",
        "from dvc.repo import Repo\n"
        "repo = Repo()\n"
        "for text in '12':\n"
        "    open('one.bin', 'w').write('\\0' + text)\n"
        "    repo.add('one.bin')\n"
        "    repo.push()\n",
    )
    broke = hub.fail("POST", "*/commit/*", status=403, skip=1)
    project.run(sys.executable, "push_twice.py", ok=False)
    assert broke.times == 0
    project.dvc("push")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("one.bin") == b"\x002"


def test_what_is_on_the_hub_already_gets_its_version(versioned, mode: str, tmp_path, hub: Hub) -> None:
    project = versioned(mode)
    project.dvc("push")
    (project.folder / "d.dvc").unlink()
    project.dvc("add", "d")
    assert b"version_id" not in project.read("d.dvc")
    project.dvc("push")
    assert all(file["cloud"]["hub"]["version_id"] for file in files_of(project, "d.dvc"))
