"""Every command of DVC's that meets a remote, as a user types it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from minihub.testing import Hub

REPO = "alice/checkpoints"
URL = f"hf://datasets/{REPO}"


def by_hand(api: HfApi, **files: bytes) -> None:
    changes = [
        CommitOperationAdd(path_in_repo=path.replace("__", "/"), path_or_fileobj=content)
        for path, content in files.items()
    ]
    api.create_commit(REPO, changes, commit_message="by hand", repo_type="dataset")


@pytest.fixture
def pushed(project: Any) -> Any:
    """A project with a file and a folder on the remote."""
    project.write("a.bin", b"\0a")
    for name in "xyz":
        project.write(f"d/{name}.bin", f"\0{name}")
    project.dvc("add", "a.bin", "d")
    project.commit()
    project.dvc("push")
    return project


def test_pull_fetches_targets_with_jobs_from_a_named_remote(pushed, tmp_path) -> None:
    clone = pushed.clone(tmp_path / "clone")
    clone.dvc("pull", "-r", "hub", "-j", "2", "d/x.bin")
    assert clone.read("d/x.bin") == b"\0x"
    assert not (clone.folder / "a.bin").exists()
    clone.dvc("fetch")
    clone.dvc("checkout")
    assert clone.read("a.bin") == b"\0a"


def test_branches_and_tags_are_pushed_together_in_one_commit(pushed, commits) -> None:
    pushed.git("switch", "--quiet", "--create", "other")
    pushed.write("a.bin", b"\0other")
    pushed.dvc("add", "a.bin")
    pushed.commit()
    pushed.git("tag", "v2")
    pushed.write("a.bin", b"\0third")
    pushed.dvc("add", "a.bin")
    pushed.commit()
    pushed.dvc("push", "--all-branches", "--all-tags")
    assert commits() == 2


def test_status_tells_what_is_new_and_what_is_gone(pushed) -> None:
    assert "in sync" in pushed.dvc("status", "--cloud").out
    pushed.write("b.bin", b"\0b")
    pushed.dvc("add", "b.bin")
    assert "new:" in pushed.dvc("status", "--cloud").out
    said = pushed.dvc("data", "status", "--not-in-remote").out
    assert "b.bin" in said
    assert "a.bin" not in said
    pushed.dvc("push", "-j", "2", "b.bin")
    assert "Not in remote" not in pushed.dvc("data", "status", "--not-in-remote").out


def test_v_tells_of_each_batch_and_the_commit_has_a_line_of_its_own(project) -> None:
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    said = project.dvc("push", "-v").text
    assert "uploading 1 files to hf://datasets/alice/checkpoints" in said
    assert "asking for 1 paths of hf://datasets/alice/checkpoints" in said
    assert "Committed to hf://datasets/alice/checkpoints: DVC: 1 file added" in said


def test_while_the_hub_commits_a_bar_says_so(project, hub: Hub) -> None:
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    hub.fail("POST", "*/commit/*", delay=1)
    said = project.dvc("push", DVC_IGNORE_ISATTY="1").err
    assert "Committing to the Hub" in said


def test_gc_of_the_cloud_is_one_commit_and_keeps_what_is_used(pushed, commits, tmp_path) -> None:
    pushed.write("d/x.bin", b"\0x2")
    pushed.dvc("add", "d")
    pushed.commit()
    pushed.dvc("push")
    pushed.dvc("gc", "--workspace", "--cloud", "--force")
    assert commits() == 3
    clone = pushed.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("d/x.bin") == b"\0x2"


def test_gc_of_all_branches_keeps_what_another_branch_uses(pushed, commits) -> None:
    pushed.git("switch", "--quiet", "--create", "other")
    pushed.dvc("remove", "a.bin.dvc")
    pushed.commit()
    pushed.dvc("gc", "--all-branches", "--cloud", "--force")
    assert commits() == 1


def test_gc_of_the_cloud_deletes_no_plain_file_of_a_two_letter_folder(pushed, api: HfApi, names) -> None:
    by_hand(api, en__train=b"one", de__test=b"two")
    pushed.dvc("gc", "--workspace", "--cloud", "--force")
    assert names() == {"en/train", "de/test"}


def test_the_run_cache_joins_the_commit_of_the_push(project, commits, tmp_path) -> None:
    project.write("in.txt", "hello")
    project.dvc("stage", "add", "-n", "copy", "-d", "in.txt", "-o", "out.txt", "cp in.txt out.txt")
    project.dvc("repro")
    project.commit()
    project.dvc("push", "--run-cache")
    assert commits() == 1
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull", "--run-cache")
    assert clone.read("out.txt") == b"hello"
    project.dvc("push", "--run-cache")
    assert commits() == 1


def test_import_url_update_and_status_of_a_plain_file(project, api: HfApi) -> None:
    by_hand(api, data=b"one")
    project.dvc("import-url", f"{URL}/data", "copy")
    assert project.read("copy") == b"one"
    by_hand(api, data=b"two")
    project.dvc("update", "copy.dvc")
    assert project.read("copy") == b"two"


def test_add_to_remote_is_one_commit_without_a_temporary_file(project, api: HfApi, commits) -> None:
    source = project.write("outside/big.bin", b"\0" * 2_000_000)
    project.dvc("add", "--to-remote", str(source), "-o", "big.bin")
    assert commits() == 1
    files = api.list_repo_files(REPO, repo_type="dataset")
    assert [file for file in files if ".tmp" in file] == []
    project.dvc("pull")
    assert project.read("big.bin") == source.read_bytes()


def test_import_url_to_remote_sends_no_byte_twice(project, api: HfApi, commits, hub: Hub) -> None:
    by_hand(api, one__a=b"\0a" * 1000, one__b=b"\0b" * 1000)
    before = commits()
    hub.requests.clear()
    project.dvc("import-url", "--to-remote", f"{URL}/one", "one")
    assert commits() == before + 1
    project.dvc("pull")
    assert project.read("one/a") == b"\0a" * 1000


def test_get_url_and_list_url(project, api: HfApi) -> None:
    by_hand(api, one__a=b"\0a", two=b"\0b")
    assert set(project.dvc("list-url", URL).out.split()) == {".gitattributes", "one", "two"}
    project.dvc("get-url", f"{URL}/one", "copied")
    assert project.read("copied/a") == b"\0a"


def test_the_python_interface_reads_from_the_remote(pushed, tmp_path) -> None:
    clone = pushed.clone(tmp_path / "clone")
    script = (
        "import dvc.api, sys\n"
        "sys.stdout.write(dvc.api.get_url('a.bin') + '\\n')\n"
        "assert dvc.api.read('a.bin', mode='rb') == b'\\0a'\n"
        "assert dvc.api.DVCFileSystem('.').cat('d/x.bin') == b'\\0x'\n"
    )
    result = clone.run(sys.executable, "-c", script)
    assert result.out.startswith(f"{URL}/files/md5/")


def test_an_experiment_is_pushed_with_its_data(pushed, tmp_path, commits) -> None:
    pushed.run("git", "init", "--quiet", "--bare", str(tmp_path / "bare"))
    pushed.git("remote", "add", "origin", str(tmp_path / "bare"))
    pushed.write("in.txt", "hello")
    pushed.dvc("stage", "add", "-n", "copy", "-d", "in.txt", "-o", "out.bin", "cp in.txt out.bin")
    pushed.commit()
    pushed.dvc("exp", "run", "--name", "first")
    pushed.dvc("exp", "push", "origin", "first")
    assert commits() == 2


def test_doctor_names_the_remote(project) -> None:
    said = project.dvc("doctor").out
    assert "hf (dvc-hf = " in said
    assert "Remotes: hf" in said


def test_a_remote_is_added_listed_changed_and_removed(project) -> None:
    project.dvc("remote", "add", "second", "hf://alice/model@dev/sub")
    assert "hf://alice/model@dev/sub" in project.dvc("remote", "list").out
    project.dvc("remote", "modify", "second", "commit_message", "by DVC")
    project.dvc("remote", "remove", "second")
    assert "second" not in project.dvc("remote", "list").out


def test_two_remotes_on_two_branches_stay_apart(project, api: HfApi, repo: str) -> None:
    api.create_branch(REPO, branch="dev", repo_type="dataset")
    project.dvc("remote", "add", "dev", f"{URL}@dev")
    project.write("a.bin", b"\0a")
    project.write("b.bin", b"\0b")
    project.dvc("add", "a.bin")
    project.dvc("add", "b.bin")
    project.dvc("push", "a.bin")
    project.dvc("push", "-r", "dev", "b.bin")

    def objects(revision: str) -> int:
        files = api.list_repo_files(REPO, repo_type="dataset", revision=revision)
        return sum(file.startswith("files/md5/") for file in files)

    assert (objects("main"), objects("dev")) == (1, 1)


def test_the_commit_message_is_the_one_that_was_set(make_project, repo: str, api: HfApi) -> None:
    project = make_project(commit_message="checkpoints of the week")
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    project.dvc("push")
    assert api.list_repo_commits(REPO, repo_type="dataset")[0].title == "checkpoints of the week"


@pytest.mark.parametrize("kind", ["model", "space"])
def test_models_and_spaces_are_remotes_too(make_project: Callable[..., Any], api: HfApi, kind: str) -> None:
    api.create_repo(REPO, repo_type=kind, space_sdk="static" if kind == "space" else None)
    project = make_project(url=f"hf://{kind}s/{REPO}/sub")
    project.write("a.bin", b"\0a")
    project.dvc("add", "a.bin")
    project.dvc("push")
    project.run("rm", "-rf", ".dvc/cache", "a.bin")
    project.dvc("pull")
    assert project.read("a.bin") == b"\0a"


def test_an_interrupt_commits_nothing_and_the_next_push_sends_all(pushed, hub: Hub, commits) -> None:
    pushed.write("b.bin", b"\0b" * 1000)
    pushed.dvc("add", "b.bin")
    hub.requests.clear()
    hub.fail("POST", "*/preupload/*", delay=20)
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "push"],
        cwd=pushed.folder,
        env=pushed.env,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell started in the background ignore the interrupt, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not hub.requests.count("POST", "*/preupload/*") and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 252, said
    assert commits() == 1
    pushed.dvc("push")
    assert commits() == 2


@pytest.mark.parametrize(
    ("hook", "guarded"),
    [
        ("Repo.gc", test_gc_of_the_cloud_deletes_no_plain_file_of_a_two_letter_folder),
        ("Output.transfer", test_add_to_remote_is_one_commit_without_a_temporary_file),
        ("Repo.push", test_the_run_cache_joins_the_commit_of_the_push),
    ],
)
def test_without_its_hook_dvc_does_otherwise(fails_without, hook: str, guarded: Callable[..., None]) -> None:
    fails_without(hook, guarded)


def test_a_dvc_that_lacks_every_name_is_told_so_once_and_still_works(
    project, without_hooks, commits, api: HfApi, tmp_path
) -> None:
    without_hooks()
    project.write("a.bin", b"\0a")
    for name in "xyz":
        project.write(f"d/{name}.bin", f"\0{name}")
    project.dvc("add", "a.bin", "d")
    project.commit()
    said = project.dvc("push").err
    lacking = [line for line in said.splitlines() if "RuntimeWarning: dvc-hf: this DVC has no" in line]
    assert len(lacking) == len(set(lacking)) > 10
    assert commits() > 1
    assert "in sync" in project.dvc("status", "--cloud").out
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert (clone.read("a.bin"), clone.read("d/z.bin")) == (b"\0a", b"\0z")
    (project.folder / "d/x.bin").unlink()
    project.dvc("add", "d")
    project.commit()
    project.dvc("push")
    project.dvc("gc", "--workspace", "--cloud", "--force")
    clone.git("pull", "--quiet")
    clone.run("rm", "-rf", ".dvc/cache", "d", "a.bin")
    clone.dvc("pull")
    assert sorted(path.name for path in (clone.folder / "d").iterdir()) == ["y.bin", "z.bin"]
