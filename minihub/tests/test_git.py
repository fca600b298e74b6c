"""The git program, git-lfs and DVC against the Hub."""

import gzip
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from minihub.errors import HubError
from minihub.git import uploadpack
from minihub.testing import Hub

from .asking import ask
from .conftest import Client

needs_lfs = pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")

PUBLISH = """
    api.create_repo("alice/data", repo_type="dataset", private={private})
    Path("up/sub").mkdir(parents=True)
    Path("up/big.bin").write_bytes(bytes(range(256)) * 5000)
    Path("up/sub/words.txt").write_text("words")
    print(api.upload_folder(repo_id="alice/data", repo_type="dataset", folder_path="up").oid)
"""
BIG = bytes(range(256)) * 5000


@pytest.fixture
def git_env(client_env: dict[str, str]) -> dict[str, str]:
    """Git that knows no one and asks nothing."""
    return {
        **client_env,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }


def git(*words: str, env: dict[str, str], cwd: Path | None = None, fails: bool = False) -> str:
    done = subprocess.run(
        ["git", *words], env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return (done.stderr if fails else done.stdout).strip()


def signed(hub: Hub, token: str) -> str:
    return hub.endpoint.replace("://", f"://alice:{token}@")


def test_a_clone_has_the_commits_of_the_hub(
    client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    head = client(PUBLISH.format(private=False))
    git("clone", "-q", f"{hub.endpoint}/datasets/alice/data", "copy", env=git_env, cwd=tmp_path)
    assert git("rev-parse", "HEAD", env=git_env, cwd=tmp_path / "copy") == head
    assert git("fsck", "--strict", env=git_env, cwd=tmp_path / "copy") == ""
    assert (tmp_path / "copy/sub/words.txt").read_text() == "words"
    assert (
        (tmp_path / "copy/big.bin").read_bytes().startswith(b"version https://git-lfs.github.com/spec/v1\n")
    )


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_a_fetch_brings_what_came_since(
    version: str, client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    client('api.create_repo("alice/m")')
    protocol = ("-c", f"protocol.version={version}")
    git(*protocol, "clone", "-q", f"{hub.endpoint}/alice/m.git", "copy", env=git_env, cwd=tmp_path)
    head = client("""
        for i in range(50):
            commit = api.upload_file(repo_id="alice/m", path_in_repo="a.txt", path_or_fileobj=b"%d" % i)
        api.create_tag("alice/m", tag="v1", tag_message="first")
        print(commit.oid)
    """)
    git(*protocol, "pull", "-q", env=git_env, cwd=tmp_path / "copy")
    assert git("rev-parse", "HEAD", env=git_env, cwd=tmp_path / "copy") == head
    assert git("rev-parse", "v1^{commit}", env=git_env, cwd=tmp_path / "copy") == head
    assert (tmp_path / "copy/a.txt").read_text() == "49"


def test_a_shallow_clone_and_a_clone_without_contents_work(
    client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    client(PUBLISH.format(private=False))
    address = f"{hub.endpoint}/datasets/alice/data"
    git("clone", "-q", "--depth=1", address, "shallow", env=git_env, cwd=tmp_path)
    assert git("rev-list", "--count", "HEAD", env=git_env, cwd=tmp_path / "shallow") == "1"
    git("clone", "-q", "--no-checkout", "--filter=blob:none", address, "bare", env=git_env, cwd=tmp_path)
    missing = git("rev-list", "--objects", "--missing=print", "HEAD", env=git_env, cwd=tmp_path / "bare")
    assert "?" in missing


def test_a_pull_request_is_not_cloned_but_can_be_fetched(
    client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    client("""
        api.create_repo("alice/m")
        api.upload_file(repo_id="alice/m", path_in_repo="new.txt", path_or_fileobj=b"new", create_pr=True)
    """)
    git("clone", "-q", f"{hub.endpoint}/alice/m", "copy", env=git_env, cwd=tmp_path)
    assert not (tmp_path / "copy/new.txt").exists()
    assert "refs/pr" not in git("show-ref", env=git_env, cwd=tmp_path / "copy")
    git("fetch", "-q", "origin", "refs/pr/1:pr/1", env=git_env, cwd=tmp_path / "copy")
    assert git("show", "pr/1:new.txt", env=git_env, cwd=tmp_path / "copy") == "new"


def test_a_private_repository_is_cloned_with_a_token_alone(
    client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    client(PUBLISH.format(private=True))
    reader, stranger = hub.token("alice", role="read"), hub.user("mallory")
    git("clone", "-q", f"{signed(hub, reader)}/datasets/alice/data", "copy", env=git_env, cwd=tmp_path)
    assert (tmp_path / "copy/sub/words.txt").read_text() == "words"
    for endpoint in (hub.endpoint, signed(hub, stranger), signed(hub, "hf_wrong")):
        git("clone", "-q", f"{endpoint}/datasets/alice/data", "no", env=git_env, cwd=tmp_path, fails=True)
        assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("path", ["alice/hidden", "alice/none"])
def test_a_hidden_repository_asks_to_sign_in_as_a_missing_one_does(
    path: str, client: Client, hub: Hub
) -> None:
    client('api.create_repo("alice/hidden", private=True)')
    for address in (
        urllib.request.Request(f"{hub.endpoint}/{path}/info/refs?service=git-upload-pack"),
        urllib.request.Request(f"{hub.endpoint}/{path}/git-upload-pack", data=b"0000"),
        urllib.request.Request(
            f"{hub.endpoint}/{path}.git/info/lfs/objects/batch",
            data=b'{"operation": "download", "objects": []}',
        ),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address)  # an address of this machine
        with refused.value as answer:
            assert answer.code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_push_is_refused_and_says_how_to_write(
    client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    client(PUBLISH.format(private=False))
    address = f"{signed(hub, hub.token('alice'))}/datasets/alice/data"
    git("clone", "-q", address, "copy", env=git_env, cwd=tmp_path)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    git(*identity, "commit", "-q", "--allow-empty", "-m", "x", env=git_env, cwd=tmp_path / "copy")
    assert "403" in git("push", "-q", env=git_env, cwd=tmp_path / "copy", fails=True)
    assert hub.requests.matching(path="*/info/refs")[-1].status == 403


def test_a_packed_request_is_read_and_a_bomb_is_refused(client: Client, hub: Hub) -> None:
    head = client(PUBLISH.format(private=False))
    wanted = f"0032want {head}\n".encode() + b"0000" + b"0009done\n"
    for body, status in (
        (gzip.compress(wanted), 200),
        (gzip.compress(bytes(100_000_000)), 413),
        (b"not gzip", 400),
    ):
        packed = {"Content_Encoding": "gzip"}
        answer = ask(hub.endpoint, "POST", "/datasets/alice/data/git-upload-pack", body, **packed)
        assert answer.status == status
        assert answer.body.startswith(b"0008NAK\nPACK") == (status == 200)


def test_without_git_the_answer_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HubError, match="git is not installed") as refused:
        uploadpack.advertise_refs(tmp_path, "")
    assert refused.value.status == 501


@needs_lfs
@pytest.mark.parametrize("private", [False, True])
def test_git_lfs_brings_large_files(
    private: bool, client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    client(PUBLISH.format(private=private))
    env = {key: value for key, value in git_env.items() if key != "GIT_LFS_SKIP_SMUDGE"}
    git("lfs", "install", "--skip-repo", env=env)
    endpoint = signed(hub, hub.token("alice", role="read")) if private else hub.endpoint
    git("clone", "-q", f"{endpoint}/datasets/alice/data", "copy", env=env, cwd=tmp_path)
    assert (tmp_path / "copy/big.bin").read_bytes() == BIG
    (tmp_path / "copy/big.bin").unlink()
    shutil.rmtree(tmp_path / "copy/.git/lfs")
    git("lfs", "pull", env=env, cwd=tmp_path / "copy")
    assert (tmp_path / "copy/big.bin").read_bytes() == BIG
    assert git("lfs", "fsck", env=env, cwd=tmp_path / "copy") == "Git LFS fsck OK"


@needs_lfs
def test_git_lfs_brings_what_came_through_xet(
    client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    client(PUBLISH.format(private=False), HF_HUB_DISABLE_XET="0")
    assert hub.requests.count("POST", "/v1/xorbs/*")
    env = {key: value for key, value in git_env.items() if key != "GIT_LFS_SKIP_SMUDGE"}
    git("lfs", "install", "--skip-repo", env=env)
    git("clone", "-q", f"{hub.endpoint}/datasets/alice/data", "copy", env=env, cwd=tmp_path)
    assert (tmp_path / "copy/big.bin").read_bytes() == BIG


def test_dvc_takes_a_file_from_a_repository_of_the_hub(
    client: Client, hub: Hub, git_env: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("dvc", reason="DVC is not installed")
    client(PUBLISH.format(private=False))
    env = {**git_env, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    address = f"{hub.endpoint}/datasets/alice/data"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "get", address, "sub/words.txt", "-o", "words.txt"],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "words.txt").read_text() == "words"
