"""A push shows the published folder under plain names, in one commit."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc_hf.publish import manifest
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
from minihub.testing import Hub

CARD = "README.md"
REPO = "alice/checkpoints"
Names = Callable[..., set[str]]
Commits = Callable[..., int]


def commit_by_hand(api: HfApi, path: str, content: bytes) -> None:
    change = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
    api.create_commit(REPO, [change], commit_message="by hand", repo_type="dataset")


def test_a_push_of_two_checkpoints_and_a_card_is_one_commit_and_the_next_push_is_none(
    publishing, names: Names, commits: Commits
) -> None:
    first = publishing.dvc("push")
    assert commits() == 1
    assert names() == {"BEATs.pt", "openbeats.pt", CARD}
    assert "Committed to hf://datasets/alice/checkpoints" in first.out
    again = publishing.dvc("push")
    assert commits() == 1
    assert "Everything is up to date" in again.out


def test_the_bytes_of_a_shown_file_are_sent_once(publishing, hub: Hub) -> None:
    hub.requests.clear()
    publishing.dvc("push")
    sent = [record.received for record in hub.requests.matching("PUT")]
    assert sorted(sent)[-2:] == [200_000, 300_000]
    assert len(sent) == 4  # and the card and the listing, which are objects too


def test_anyone_downloads_a_shown_file_by_its_plain_name(publishing, hub: Hub, tmp_path: Path) -> None:
    publishing.dvc("push")
    path = hf_hub_download(
        REPO,
        "BEATs.pt",
        repo_type="dataset",
        endpoint=hub.endpoint,
        cache_dir=tmp_path / "cache",
        token=False,
    )
    assert Path(path).read_bytes() == publishing.read("checkpoints/BEATs.pt")


def test_a_clone_pulls_the_same_bytes_and_is_in_sync(publishing, tmp_path: Path) -> None:
    publishing.dvc("push")
    publishing.commit()
    clone = publishing.clone(tmp_path / "clone")
    clone.dvc("pull")
    for name in ("BEATs.pt", "openbeats.pt", CARD):
        assert clone.read(f"checkpoints/{name}") == publishing.read(f"checkpoints/{name}")
    assert "in sync" in clone.dvc("status", "--cloud").out


def test_a_name_that_left_the_folder_leaves_the_repository_but_its_object_stays(
    publishing, names: Names, commits: Commits, api: HfApi
) -> None:
    publishing.dvc("push")
    (publishing.folder / "checkpoints/openbeats.pt").unlink()
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    assert names() == {"BEATs.pt", CARD}
    assert commits() == 2
    objects = [f for f in api.list_repo_files(REPO, repo_type="dataset") if f.startswith("files/md5/")]
    assert len(objects) == 5  # three files, two listings


def test_a_changed_file_is_shown_with_its_new_bytes(publishing, hub: Hub, tmp_path: Path) -> None:
    publishing.dvc("push")
    publishing.write("checkpoints/BEATs.pt", b"\0new")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    path = hf_hub_download(
        REPO,
        "BEATs.pt",
        repo_type="dataset",
        endpoint=hub.endpoint,
        cache_dir=tmp_path / "cache",
        token=False,
    )
    assert Path(path).read_bytes() == b"\0new"


def test_files_that_dvc_did_not_put_there_are_never_touched(publishing, api: HfApi, names: Names) -> None:
    commit_by_hand(api, "notes.txt", b"mine")
    commit_by_hand(api, "openbeats.pt", b"someone else's")
    result = publishing.dvc("push")
    assert "'openbeats.pt' in hf://datasets/alice/checkpoints was not written by DVC" in result.err
    assert names() == {"BEATs.pt", "openbeats.pt", CARD, "notes.txt"}
    publishing.dvc("remove", "checkpoints.dvc")
    publishing.dvc("push")
    assert names() == {"openbeats.pt", "notes.txt"}


@pytest.mark.filterwarnings("ignore::UserWarning")  # the Hub misses metadata in the card
def test_a_card_of_someone_else_stays_until_publish_readme_is_said(publishing, api: HfApi) -> None:
    commit_by_hand(api, CARD, b"# made in the browser\n")
    result = publishing.dvc("push")
    assert "publish_readme true" in result.err
    download = {
        "repo_id": REPO,
        "filename": CARD,
        "repo_type": "dataset",
        "local_dir": publishing.folder / "card",
    }
    assert Path(api.hf_hub_download(**download)).read_text() == "# made in the browser\n"
    publishing.dvc("remote", "modify", "hub", "publish_readme", "true")
    publishing.dvc("push")
    assert Path(api.hf_hub_download(**download)).read_text().endswith("# Checkpoints\n")


def test_names_are_shown_though_the_objects_were_there_before(
    project, names: Names, commits: Commits
) -> None:
    project.write("checkpoints/a.pt", b"\0a")
    project.dvc("add", "checkpoints")
    project.dvc("push")
    assert names() == set()
    project.dvc("remote", "modify", "hub", "publish", "checkpoints")
    project.dvc("push")
    assert names() == {"a.pt"}
    assert commits() == 2


def test_only_names_whose_object_is_on_the_remote_are_shown(make_project, repo: str, names: Names) -> None:
    project = make_project(publish=".")
    project.write("a.pt", b"\0a")
    project.write("deep/b.pt", b"\0b")
    project.dvc("add", "a.pt", "deep/b.pt")
    project.dvc("push", "a.pt")
    assert names() == {"a.pt"}
    project.dvc("push")
    assert names() == {"a.pt", "deep/b.pt"}


def test_pushing_all_branches_shows_the_workspace_alone(make_project, repo: str, names: Names) -> None:
    project = make_project(publish="data")
    project.write("data/a.pt", b"\0a")
    project.dvc("add", "data")
    project.commit()
    project.git("switch", "--quiet", "--create", "other")
    project.write("data/b.pt", b"\0b")
    project.dvc("add", "data")
    project.commit()
    project.git("switch", "--quiet", "-")
    project.dvc("checkout")
    project.dvc("push", "--all-branches")
    assert names() == {"a.pt"}


@pytest.mark.parametrize("landed", [1, 2, 3])
def test_a_push_of_many_commits_that_breaks_between_them_is_completed_by_the_next(
    publishing, small_commits, hub: Hub, served, commits: Commits, landed: int
) -> None:
    publishing.dvc("push")
    made = commits()
    for name in ("BEATs.pt", CARD):
        publishing.write(f"checkpoints/{name}", f"\0new {name}")
    (publishing.folder / "checkpoints/openbeats.pt").unlink()
    publishing.dvc("add", "checkpoints")
    wanted = {name: publishing.read(f"checkpoints/{name}") for name in ("BEATs.pt", CARD)}
    broke = hub.fail("POST", "*/commit/*", status=403, skip=landed)
    publishing.dvc("push", ok=False)
    assert broke.times == 0
    assert commits() == made + landed
    assert "was not written by DVC" not in publishing.dvc("push").err
    there = served()
    assert {name: there[name] for name in there if not name.startswith("files/")} == wanted


def claim(api: HfApi, served: Callable[[], dict[str, bytes]], names: set[str]) -> None:
    """Somebody adds names to the list of what DVC shows, each with what is there."""
    there = {
        item.path: item.lfs.sha256 if item.lfs else item.blob_id
        for item in api.list_repo_tree(REPO, repo_type="dataset", recursive=True)
        if hasattr(item, "blob_id")
    }
    listed = json.loads(served()["files/published.json"])
    listed["names"] |= {name: {"md5": "0" * 32, "etag": there.get(name, "0" * 40)} for name in names}
    commit_by_hand(api, "files/published.json", json.dumps(listed).encode())


def test_a_push_removes_nothing_that_it_never_shows_whatever_the_list_of_names_says(
    publishing, api: HfApi, served, commits: Commits
) -> None:
    publishing.dvc("push")
    legacy, run = f"ab/{'c' * 30}", f"runs/ab/{'c' * 64}/{'d' * 64}"
    ours = {legacy, run, ".dvc/files/md5/ab/x", "deep/files/published.json", f"deep/files/md5/{legacy}.dir"}
    for name in ours:
        commit_by_hand(api, name, b"of another remote in the same repository")
    before = set(api.list_repo_files(REPO, repo_type="dataset"))
    claim(api, served, {*before, "../../x", "/etc/passwd", "a\\b", ".git/config"})
    publishing.write("checkpoints/new.pt", b"\0new")
    publishing.dvc("add", "checkpoints")
    made = commits()
    publishing.dvc("push")
    after = set(api.list_repo_files(REPO, repo_type="dataset"))
    assert before - after == set()
    assert "new.pt" in after
    assert commits() == made + 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[" * 100_000, "it has no object 'names'"),
        (b'{"names": []}', "it has no object 'names'"),
        (b'{"names": {"a": 1}}', "the 'md5' of 'a' is 'NoneType'"),
        (b'{"names": {"a": {"md5": "../x"}}}', "the 'md5' of 'a' is '../x'"),
        (b'{"names": {"a\\u00e9": {"md5": "%032d", "etag": 5}}}' % 0, "the 'etag' of 'a\\xe9' is 'int'"),
        (b" " * (manifest.LARGEST + 1), "more than 67108864"),
    ],
)
def test_a_list_of_names_of_another_form_is_refused_with_its_field(text: bytes, reason: str) -> None:
    with pytest.raises(manifest.ManifestError, match=re.escape(reason)):
        manifest.read_manifest(text)


def shown(api: HfApi, name: str, folder: Path) -> bytes:
    path = api.hf_hub_download(REPO, name, repo_type="dataset", local_dir=folder / "shown")
    return Path(path).read_bytes()


@pytest.mark.parametrize("text", [b'{"names": {"a": {"md5": "x"}}}', b"<html>", None])
def test_a_list_of_names_that_is_damaged_or_gone_is_written_anew(
    publishing, api: HfApi, names: Names, tmp_path: Path, text: bytes | None
) -> None:
    publishing.dvc("push")
    commit_by_hand(api, "openbeats.pt", b"\0someone else's")
    if text is None:
        api.delete_file("files/published.json", REPO, repo_type="dataset")
    else:
        commit_by_hand(api, "files/published.json", text)
    publishing.write("checkpoints/BEATs.pt", b"\0new")
    publishing.dvc("add", "checkpoints")
    result = publishing.dvc("push")
    assert shown(api, "BEATs.pt", tmp_path) == b"\0new"
    assert "'openbeats.pt' in hf://datasets/alice/checkpoints was not written by DVC" in result.err
    assert shown(api, "openbeats.pt", tmp_path) == b"\0someone else's"
    assert ("and is damaged" in result.err) == (text is not None)
    assert names() == {"BEATs.pt", "openbeats.pt", CARD}
    assert set(manifest.read_manifest(shown(api, "files/published.json", tmp_path))) == {"BEATs.pt", CARD}


@pytest.mark.parametrize("name", ["BEATs.pt", CARD])
def test_a_file_that_somebody_put_there_with_the_very_bytes_is_ours_from_then_on(
    publishing, api: HfApi, commits: Commits, tmp_path: Path, name: str
) -> None:
    commit_by_hand(api, name, publishing.read(f"checkpoints/{name}"))
    first = publishing.dvc("push")
    assert "was not written by DVC" not in first.err
    publishing.write(f"checkpoints/{name}", b"---\nlicense: mit\n---\nnew\n")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    assert shown(api, name, tmp_path) == b"---\nlicense: mit\n---\nnew\n"


def test_the_very_bytes_are_known_also_where_one_of_the_two_is_no_large_file(
    publishing, api: HfApi, names: Names, tmp_path: Path
) -> None:
    commit_by_hand(api, ".gitattributes", b"*.csv filter=lfs diff=lfs merge=lfs -text\n")
    publishing.write("checkpoints/t.csv", b"a,b\n")
    publishing.dvc("add", "checkpoints")
    commit_by_hand(api, "t.csv", b"a,b\n")
    assert "was not written by DVC" not in publishing.dvc("push").err
    publishing.write("checkpoints/t.csv", b"c,d\n")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    assert shown(api, "t.csv", tmp_path) == b"c,d\n"


# Another clone pushes between the reads of this push and its commit.
BETWEEN = """
import subprocess, sys
from dvc_hf.publish.publish import View
compare = View._decide
def after_the_other(self, *arguments):
    View._decide = compare
    decided = compare(self, *arguments)
    subprocess.run([sys.executable, "-m", "dvc", "push"], cwd={other!r}, check=True)
    return decided
View._decide = after_the_other
"""


def test_a_push_that_comes_between_is_taken_into_account(publishing, api: HfApi, tmp_path: Path) -> None:
    publishing.dvc("push")
    publishing.commit()
    other = publishing.clone(tmp_path / "other")
    other.dvc("pull")
    for project, mark in ((publishing, b"\0ours"), (other, b"\0theirs")):
        project.write("checkpoints/BEATs.pt", mark)
        project.dvc("add", "checkpoints")
    other.write("checkpoints/more.pt", b"\0more")
    other.dvc("add", "checkpoints")
    pushed = publishing.dvc("push", before=BETWEEN.format(other=str(other.folder)))
    assert "was not written by DVC" not in pushed.text
    assert shown(api, "BEATs.pt", tmp_path) == b"\0ours"
    publishing.write("checkpoints/BEATs.pt", b"\0later")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    assert shown(api, "BEATs.pt", tmp_path) == b"\0later"
    assert not api.file_exists(REPO, "more.pt", repo_type="dataset")  # as this folder has it


# The Hub stumbles over this push's commit while another clone pushes.
STUMBLE = """
import subprocess, sys
from dvc_hf.hub.repo import RepoClient
write = RepoClient.write
def after_the_other(self, *arguments):
    RepoClient.write = write
    subprocess.run([sys.executable, "-m", "dvc", "push"], cwd={other!r}, check=True)
    raise ConnectionError("the line broke")
RepoClient.write = after_the_other
"""


def test_a_push_that_comes_while_the_hub_stumbles_is_taken_into_account(
    publishing, api: HfApi, tmp_path: Path
) -> None:
    publishing.dvc("push")
    publishing.commit()
    other = publishing.clone(tmp_path / "other")
    other.dvc("pull")
    for project, mark in ((publishing, b"\0ours"), (other, b"\0theirs")):
        project.write("checkpoints/BEATs.pt", mark)
        project.dvc("add", "checkpoints")
    publishing.dvc("push", before=STUMBLE.format(other=str(other.folder)))
    assert shown(api, "BEATs.pt", tmp_path) == b"\0ours"


# For some seconds the Hub shows the branch as it was before its last commit, and knows no newer one.
LATE = """
import time
from dvc_hf.commit import batch
from dvc_hf.hub import retry
from dvc_hf.hub.errors import LostVersionError
from dvc_hf.hub.repo import RepoClient
batch.UNSEEN_S = (0.2,) * 20
retry.WAITS_S = (0.01,)  # it is no passing fault
head, entries, until = RepoClient.head, RepoClient.entries, time.monotonic() + 2
def late_head(self):
    return {before!r} if time.monotonic() < until else head(self)
def late_entries(self, paths, revision=None, **more):
    if revision not in (None, {before!r}, {now!r}) and time.monotonic() < until:
        raise LostVersionError("no such commit")
    return entries(self, paths, revision, **more)
RepoClient.head, RepoClient.entries = late_head, late_entries
"""


def test_a_commit_that_the_hub_shows_late_is_waited_for(publishing, api: HfApi, tmp_path: Path) -> None:
    publishing.dvc("push")
    before = api.repo_info(REPO, repo_type="dataset").sha
    for mark in (b"\0second", b"\0third"):
        publishing.write("checkpoints/BEATs.pt", mark)
        publishing.dvc("add", "checkpoints")
        now = api.repo_info(REPO, repo_type="dataset").sha
        result = publishing.dvc("push", before=LATE.format(before=before, now=now))
        assert "was not written by DVC" not in result.text
        assert shown(api, "BEATs.pt", tmp_path) == mark
