"""The pre-flight: what the documents promise of the Hub, step by step, in scratch repositories that go again.

HF_TOKEN=... make hub-check            everything: some minutes, under 60 commits
HF_TOKEN=... make hub-check QUICK=1    the first five steps
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import build_hf_headers, get_session
from scratch import MOST_COMMITS, Account, read_lines

pytestmark = [pytest.mark.hub, pytest.mark.slow, pytest.mark.timeout(1200)]
MANY = int(os.environ.get("HUB_CHECK_FILES", "1000"))
NO_XET = {"HF_HUB_DISABLE_XET": "1"}
ROOT = Path(__file__).parents[2]
TINY = ROOT / "beats-trainer" / "tests" / "golden" / "tiny" / "BEATs_iter3_plus_AS2M.pt"
KINDS = {
    "a.txt": b"text\n",
    "b.bin": b"\0binary" * 100,
    "c.json": b"{}",
    "d.pt": b"PK\x03\x04" + bytes(500),
    "e.txt": b"a line of a long text\n" * 600_000,
    "files/md5/00/0123456789abcdef0123456789abcd": b"\0object" * 100,
}


def fill(user: Any, seed: str, count: int = 2) -> None:
    """A folder of checkpoints: one that goes to the store, small ones, a card."""
    folder = user.folder / "data"
    folder.mkdir(exist_ok=True)
    (folder / "a.pt").write_bytes(b"\0" + hashlib.sha512(seed.encode()).digest() * 30_000)
    (folder / "README.md").write_text(f"---\nlicense: mit\n---\n# {seed}\n")
    for number in range(count):
        (folder / f"{number:04}.bin").write_bytes(b"\0" + f"{seed} {number}".encode())
    user.types("dvc", "add", "--quiet", "data")


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def objects(user: Any) -> set[str]:
    """The objects of somebody's cache, by the names that they have on a remote."""
    cache = user.folder / ".dvc" / "cache"
    return {path.relative_to(cache).as_posix() for path in cache.glob("files/md5/*/*")}


def eventually(look: Callable[[], set[str]]) -> set[str]:
    """What is seen there, once there is something: the Hub's readers learn of a commit after a while."""
    deadline = time.monotonic() + 30
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(1)
    return seen


def keep(user: Any) -> None:
    user.types("git", "add", "--all")
    user.types("git", "commit", "--quiet", "--message", "a change")


def head(account: Account, repo: str) -> str:
    return str(account.api.repo_info(repo, repo_type="dataset").sha)


@pytest.fixture(scope="module")
def repo(account: Account) -> str:
    """The repository that most steps push to."""
    return account.make()


@pytest.fixture
def pushed(begin: Any, repo: str) -> Any:
    """A project whose folder is shown by its names."""
    return begin("maintainer", repo, publish="data")


def test_1_the_token_is_somebodys_and_may_write(account: Account, see: Any) -> None:
    me = account.api.whoami()
    access = me.get("auth", {}).get("accessToken", {})
    see(f"role {access.get('role')}, fine-grained: {'fineGrained' in access}")
    assert access.get("role") in {"write", "fineGrained", None}


def test_2_six_kinds_of_file_have_a_mode(account: Account, repo: str, see: Any) -> None:
    from base64 import b64encode

    files = [
        {"path": path, "size": len(data), "sample": b64encode(data[:512]).decode()}
        for path, data in KINDS.items()
    ]
    url = f"{account.endpoint}/api/datasets/{repo}/preupload/main"
    answer = get_session().post(url, json={"files": files}, headers=build_hf_headers(token=account.token))
    modes = {file["path"]: file["uploadMode"] for file in answer.json()["files"]}
    see(", ".join(f"{Path(path).name[:8]} {mode}" for path, mode in modes.items()))
    assert set(modes.values()) <= {"regular", "lfs"}
    assert modes["a.txt"] == "regular"
    assert modes["e.txt"] == "lfs"


@pytest.mark.parametrize("variables", [NO_XET, {}], ids=["lfs", "xet"])
def test_3_a_push_is_one_commit_and_is_there(
    account: Account, repo: str, pushed: Any, see: Any, variables: dict[str, str]
) -> None:
    user = pushed.exporting(**variables)
    fill(user, f"first {variables}")
    before = account.commits(repo)
    started = time.monotonic()
    user.types("dvc", "push")
    took = time.monotonic() - started
    after = account.commits(repo)
    commit = account.api.list_repo_commits(repo, repo_type="dataset")[0].commit_id
    at_hash = waited(lambda: bool(account.api.list_repo_tree(repo, repo_type="dataset", revision=commit)))
    on_main = waited(lambda: head(account, repo) == commit)
    see(f"push {took:.1f} s, at its hash after {at_hash:.1f} s, on main after {on_main:.1f} s")
    assert after[1:] == before
    assert {"a.pt", "README.md", "0000.bin"} <= account.files(repo)


def waited(is_there: Any, within_s: float = 60.0) -> float:
    started = time.monotonic()
    while True:
        try:
            if is_there():
                return time.monotonic() - started
        except HfHubHTTPError:
            pass
        assert time.monotonic() - started < within_s
        time.sleep(0.5)


def test_4_gitattributes_has_one_line_for_all_objects(account: Account, repo: str, see: Any) -> None:
    path = account.api.hf_hub_download(repo, ".gitattributes", repo_type="dataset")
    lines = Path(path).read_text().splitlines()
    see(f"{len(lines)} lines")
    assert len([line for line in lines if line.startswith("files/md5/")]) <= 2
    assert not [line for line in lines if re.search("files/md5/[0-9a-f]{2}/", line)]


@pytest.mark.parametrize("variables", [NO_XET, {}], ids=["lfs", "xet"])
def test_5_a_clone_pulls_the_same_bytes_and_no_other_host_sees_the_token(
    account: Account,
    repo: str,
    pushed: Any,
    settler: Any,
    recording: Path,
    see: Any,
    variables: dict[str, str],
) -> None:
    fill(pushed, "for a clone")
    pushed.types("dvc", "push")
    keep(pushed)
    before = len(read_lines(recording))
    reader = settler("reader", **variables)
    reader.types("git", "clone", "--quiet", str(pushed.folder), "clone")
    clone = reader.at(reader.folder / "clone")
    clone.types("dvc", "pull")
    assert digests(clone.folder / "data") == digests(pushed.folder / "data")
    asked = read_lines(recording)[before:]
    others = [line for line in asked if line["host"] == "other"]
    see(f"{len(asked)} requests, {len(others)} to other hosts")
    assert not [line for line in others if line["token"]]


@pytest.mark.full
def test_6_a_bad_card_is_refused_in_the_hubs_words_and_a_good_one_is_shown(
    account: Account, repo: str, pushed: Any, see: Any
) -> None:
    fill(pushed, "cards")
    card = pushed.folder / "data" / "README.md"
    card.write_text("---\nlicense: No Such Licence\n---\n# Card\n")
    pushed.types("dvc", "add", "--quiet", "data")
    before = account.commits(repo)
    refused = pushed.types("dvc", "push", fails=True)
    see(refused.stderr.strip().splitlines()[0][:200])
    assert "README.md" in refused.stderr
    assert account.commits(repo) == before
    card.write_text("---\nlicense: mit\n---\n# A good card\n")
    pushed.types("dvc", "add", "--quiet", "data")
    pushed.types("dvc", "push")
    account.settle()
    shown = account.api.hf_hub_download(repo, "README.md", repo_type="dataset")
    assert "A good card" in Path(shown).read_text()


@pytest.mark.full
def test_7_two_clones_push_at_once_and_both_are_there(account: Account, begin: Any, see: Any) -> None:
    repo = account.make()
    users = [begin(name, repo) for name in ("first", "second")]
    for user in users:
        fill(user, user.folder.parent.name)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda user: user.types("dvc", "push"), users))
    see(f"{len(account.commits(repo)) - 1} commits")
    for user in users:
        assert "in sync" in user.types("dvc", "status", "--cloud").stdout


@pytest.mark.full
def test_8_many_files_are_one_commit(account: Account, repo: str, pushed: Any, see: Any) -> None:
    fill(pushed, "many", MANY)
    before = account.commits(repo)
    started = time.monotonic()
    pushed.types("dvc", "push")
    see(f"{MANY} files in {time.monotonic() - started:.0f} s")
    assert account.commits(repo)[1:] == before


@pytest.mark.full
def test_9_versions_of_many_files_come_back(account: Account, begin: Any, see: Any) -> None:
    repo = account.make()
    user = begin("versions", repo, version_aware="true")
    fill(user, "old", MANY)
    user.types("dvc", "push")
    keep(user)
    old = digests(user.folder / "data")
    fill(user, "new", 3)
    user.types("dvc", "push")
    keep(user)
    started = time.monotonic()
    user.types("git", "checkout", "--quiet", "HEAD~1")
    user.types("bash", "-c", "rm -rf .dvc/cache data")
    user.types("dvc", "pull")
    see(f"{MANY} files of an old version in {time.monotonic() - started:.0f} s")
    assert digests(user.folder / "data") == old


@pytest.mark.full
def test_10_what_is_not_used_any_more_goes(account: Account, begin: Any, see: Any) -> None:
    repo = account.make()
    user = begin("collector", repo)
    fill(user, "old")
    user.types("dvc", "push")
    before = objects(user)
    fill(user, "new")
    user.types("dvc", "push")
    user.types("dvc", "gc", "--workspace", "--cloud", "--force")
    gone = eventually(lambda: before - account.files(repo))
    see(f"{len(gone)} objects went")
    assert gone
    assert "in sync" in user.types("dvc", "status", "--cloud").stdout


@pytest.mark.full
def test_11_each_refusal_says_what_it_is(account: Account, repo: str, begin: Any, see: Any) -> None:
    user = begin("stranger", repo)
    fill(user, "refused")
    wrong = user.exporting(HF_TOKEN="hf_" + "x" * 20).types("dvc", "push", fails=True)
    assert "does not accept the token" in wrong.stderr
    nobody = user.exporting(HF_TOKEN="").types("dvc", "push", fails=True)
    assert "no token was sent" in nobody.stderr.lower()
    missing = begin("lost", f"{account.namespace}/preflight-is-not-there")
    fill(missing, "refused")
    assert "does not exist" in missing.types("dvc", "push", fails=True).stderr
    branch = begin("branch", f"{repo}@no-such-branch")
    fill(branch, "refused")
    assert "no-such-branch" in branch.types("dvc", "push", fails=True).stderr
    if reading := os.environ.get("HUB_CHECK_READ_TOKEN"):
        reader = user.exporting(HF_TOKEN=reading).types("dvc", "push", fails=True)
        assert "does not allow it" in reader.stderr
    see("wrong token, none, no repository, no branch" + (", read-only" if reading else ""))


@pytest.mark.full
def test_12_a_checkpoint_is_published_pinned_and_fetched_though_it_is_cut(
    account: Account, settler: Any, see: Any
) -> None:
    name = account.make("model")
    user = settler("publisher")
    user.types("beats", "publish", str(TINY), "--to", name, "--private", "--licence", "mit")
    (user.folder / "pins").mkdir()
    account.settle()
    user.types("beats", "pin", name, "--output", "pins/model.dvc")
    user = user.exporting(BEATS_PINS="pins", HF_HUB_DISABLE_XET="1")
    cut(user, "model")
    user.types("beats", "fetch", "model")
    where = user.types("beats", "fetch", "model").stdout.split()[-1]
    see(f"{Path(where).stat().st_size:,} bytes")
    assert Path(where).read_bytes()


def cut(user: Any, name: str) -> None:
    """A fetch that is killed soon after it began."""
    process = subprocess.Popen(
        ["beats", "fetch", name],
        cwd=user.folder,
        env=user.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(3)
    process.kill()
    process.wait()


@pytest.mark.full
def test_13_a_bucket_takes_and_gives(account: Account, begin: Any, see: Any) -> None:
    name = account.make("bucket")
    user = begin("bucket", name, url="hf://buckets/")
    fill(user, "bucket")
    user.types("dvc", "push")
    wanted = digests(user.folder / "data")
    user.types("bash", "-c", "rm -rf .dvc/cache data")
    user.types("dvc", "pull")
    see(f"{len(wanted)} files")
    assert digests(user.folder / "data") == wanted


@pytest.mark.full
def test_14_all_of_it_took_few_commits(account: Account, see: Any) -> None:
    kinds = [(kind, name) for kind, name in account.made if kind != "bucket"]
    count = sum(len(account.api.list_repo_commits(name, repo_type=kind)) for kind, name in kinds)
    see(f"{count} commits")
    assert count < MOST_COMMITS
