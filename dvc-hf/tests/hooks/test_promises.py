"""A pull gives the bytes that the ``.dvc`` file promises, inside the workspace, or fails."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from dvc_data.hashfile.tree import Tree
from dvc_hf.hooks.listings import ListingError, from_list
from huggingface_hub import CommitOperationAdd, HfApi

REPO = "alice/checkpoints"
GOOD = b"\0weights" * 1000
BESIDE = b"\0beside" * 1000
WRONG = "f" * 32


def path_of(oid: str) -> str:
    return f"files/md5/{oid[:2]}/{oid[2:]}"


@pytest.fixture
def put(api: HfApi) -> Callable[[str, bytes], None]:
    """Somebody else writes to the repository."""

    def commit(path: str, content: bytes) -> None:
        change = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
        api.create_commit(REPO, [change], commit_message="by hand", repo_type="dataset")

    return commit


@pytest.fixture
def pushed(project: Any) -> Any:
    """A folder of two files and a file beside it, pushed."""
    project.write("m/a.bin", GOOD)
    project.write("m/b.bin", b"\0b" * 500)
    project.write("beside.bin", BESIDE)
    project.dvc("add", "m", "beside.bin")
    project.dvc("push")
    project.commit()
    return project


def cached(project: Any) -> dict[str, str]:
    """The objects of a project's cache, each with the digest of its content."""
    files = [file for file in (project.folder / ".dvc/cache/files/md5").rglob("*") if file.is_file()]
    return {
        (file.parent.name + file.name).removesuffix(".dir"): md5(file.read_bytes()).hexdigest()
        for file in files
    }


def assert_cache_is_true(project: Any) -> None:
    assert [name for name, digest in cached(project).items() if name != digest] == []


@pytest.mark.parametrize("size", [9, 3_000_000])
@pytest.mark.parametrize("way", ["lfs", "xet"])
def test_an_object_that_is_not_what_its_name_says_fails_alone(
    pushed: Any, put: Any, tmp_path: Path, way: str, size: int
) -> None:
    if way == "xet":
        del pushed.env["HF_HUB_DISABLE_XET"]
    oid = md5(GOOD).hexdigest()
    put(path_of(oid), b"\0" * size)
    clone = pushed.clone(tmp_path / "clone")
    result = clone.dvc("pull", ok=False)
    assert f"is not the object that was asked for: expected md5 {oid}, got " in result.err
    assert "files failed to download" in result.err
    assert oid not in cached(clone)
    assert md5(BESIDE).hexdigest() in cached(clone)
    assert_cache_is_true(clone)


def test_a_listing_that_is_not_what_its_name_says_fails_alone(pushed: Any, put: Any, tmp_path: Path) -> None:
    listing = str(re.search(r"md5: (\w+\.dir)", pushed.read("m.dvc").decode())[1])
    entries = [{"md5": md5(BESIDE).hexdigest(), "relpath": "a.bin"}]
    put(path_of(listing), json.dumps(entries).encode())
    clone = pushed.clone(tmp_path / "clone")
    result = clone.dvc("pull", ok=False)
    assert f"'{path_of(listing)}' is not the object that was asked for" in result.err
    assert set(cached(clone)) == {md5(BESIDE).hexdigest()}


@pytest.fixture
def evil(pushed: Any, put: Any, tmp_path: Path) -> Iterator[Callable[[Any], Any]]:
    """Makes a clone of somebody's repository in which a true listing has these entries."""

    def make(entries: Any) -> Any:
        listing = json.dumps(entries).encode()
        oid = f"{md5(listing).hexdigest()}.dir"
        put(path_of(oid), listing)
        pushed.write("m.dvc", f"outs:\n- md5: {oid}\n  size: 8000\n  nfiles: 1\n  hash: md5\n  path: m\n")
        pushed.commit()
        return pushed.clone(tmp_path / "deep/er/clone")

    (tmp_path / "deep/er").mkdir(parents=True)
    yield make
    left = {path.name for path in (tmp_path / "deep").iterdir()}
    assert {"er"} == left
    assert {path.name for path in (tmp_path / "deep/er").iterdir()} <= {"clone", "site-clone"}


LEADING_OUT = [
    "../planted",
    "../../planted",
    "a/../../../planted",
    "..",
    ".",
    "",
    "a//b",
    "/tmp/planted",
    "..\\..\\planted",
    "C:\\planted",
    "C:/planted",
    "\\\\host\\share",
    "a\0b",
    ".git/hooks/post-checkout",
    "a/.GIT/config",
    "git~1/config",
    "a/.git ./config",
    ".dvc/config",
    ".hg/hgrc",
    7,
    None,
]


@pytest.mark.parametrize("relpath", LEADING_OUT)
def test_a_name_that_leads_out_of_a_listings_folder_is_refused(relpath: Any) -> None:
    with pytest.raises(ListingError, match="entry 1 has a 'relpath' that is no file inside the folder"):
        from_list(Tree.from_list, [{"relpath": "good"}, {"relpath": relpath}])


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"relpath": "a"}, "it should be a list of files, not dict"),
        (["a"], "entry 0 should be one file's names and values, not str"),
        ([{"relpath": "a", "md5": "../../" + "0" * 26}], "entry 0 has an 'md5' that is none"),
        ([{"relpath": "a", "md5": ["0" * 32]}], "entry 0 has an 'md5' that is none: 'list'"),
        ([{"relpath": "a", "size": "12"}], "entry 0 has a 'size' that is no number: '12'"),
        ([{"relpath": "a"}, {"relpath": "a"}], "it names 'a' twice"),
        ([{"relpath": "a"}, {"relpath": "a/b"}], "'a' is a file and a folder in it"),
    ],
)
def test_a_listing_that_dvc_does_not_make_is_refused(entries: Any, reason: str) -> None:
    with pytest.raises(ListingError, match=re.escape(reason)):
        from_list(Tree.from_list, entries)


@pytest.mark.parametrize("relpath", ["a", "a b/ü", "..a", "a..", ".gitignore", "x.dvc", "1:30.wav", "...x"])
def test_a_usual_name_of_a_listing_is_read(relpath: str) -> None:
    tree = from_list(
        Tree.from_list, [{"relpath": relpath, "md5": "0" * 32, "size": 1, "new": {}}], hash_name="md5"
    )
    assert [key for key, _, _ in tree] == [tuple(relpath.split("/"))]


def test_a_true_listing_whose_names_lead_out_fails_alone(evil: Any) -> None:
    clone = evil([{"md5": md5(GOOD).hexdigest(), "relpath": "../../planted"}])
    result = clone.dvc("pull", ok=False)
    assert "has a 'relpath' that is no file inside the folder: '../../planted'" in result.err
    assert set(cached(clone)) == {md5(BESIDE).hexdigest()}


@pytest.mark.parametrize("command", ["checkout", "status", "gc --workspace --force", "get . m --out x"])
def test_a_listing_in_the_cache_whose_names_lead_out_is_refused(evil: Any, command: str) -> None:
    clone = evil([{"md5": md5(GOOD).hexdigest(), "relpath": "../planted"}])
    oid = str(re.search(r"md5: (\w+\.dir)", clone.read("m.dvc").decode())[1])
    clone.write(
        f".dvc/cache/{path_of(oid)}", json.dumps([{"md5": md5(GOOD).hexdigest(), "relpath": "../planted"}])
    )
    clone.write(f".dvc/cache/{path_of(md5(GOOD).hexdigest())}", GOOD)
    result = clone.dvc(*command.split(), ok=False)
    assert "no file inside the folder: '../planted'" in result.err
    assert not (clone.folder / "planted").exists()
    assert set(cached(clone)) == {md5(GOOD).hexdigest(), oid.removesuffix(".dir")}


@pytest.fixture
def linked(pushed: Any, tmp_path: Path) -> Callable[..., Any]:
    """Makes a clone in which a folder is a link to the outside, which git tracks or not."""

    def make(link: str, *, in_git: bool) -> Any:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/precious").write_text("mine")
        pushed.write("m/sub/c.bin", b"\0c")
        pushed.dvc("add", "m")
        pushed.dvc("push")
        pushed.commit()
        clone = pushed.clone(tmp_path / "clone")
        path = clone.folder / link
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(tmp_path / "outside")
        if in_git:
            clone.git("add", "--force", link)
            clone.commit()
        return clone

    return make


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("link", ["m", "m/sub"])
def test_a_link_of_git_leads_no_checkout_out_of_the_workspace(linked: Any, tmp_path: Path, link: str) -> None:
    clone = linked(link, in_git=True)
    result = clone.dvc("pull", "--force", ok=False)
    assert "it is a link of the git repository that leads out of the workspace" in result.err
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["precious"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_of_the_users_own_is_obeyed(linked: Any, tmp_path: Path) -> None:
    clone = linked("m/sub", in_git=False)
    clone.dvc("pull", "--force")
    assert clone.read("m/sub/c.bin") == b"\0c"


# other layouts, other ways in ----------------------------------------------------------------------


def test_an_object_of_dvc_2_is_what_its_name_says(project: Any, put: Any, api: HfApi, tmp_path: Path) -> None:
    text = b"a text\r\nas Windows writes it\r\n"
    oid = md5(text.replace(b"\r\n", b"\n")).hexdigest()
    put(f"{oid[:2]}/{oid[2:]}", text)
    project.write("old.txt.dvc", f"outs:\n- md5: {oid}\n  size: {len(text)}\n  path: old.txt\n")
    project.commit()
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("old.txt") == text
    put(f"{oid[:2]}/{oid[2:]}", text.replace(b"Windows", b"windows"))
    second = project.clone(tmp_path / "second")
    result = second.dvc("pull", ok=False)
    assert f"is not the object that was asked for: expected md5-dos2unix {oid}" in result.err
    assert not (second.folder / "old.txt").exists()


@pytest.mark.parametrize("mode", ["version_aware", "worktree"])
def test_a_version_on_the_hub_is_what_the_dvc_file_says(
    make_project: Any, repo: str, tmp_path: Path, mode: str
) -> None:
    project = make_project(**{mode: "true"})
    project.write("a.bin", GOOD)
    project.dvc("add", "a.bin")
    project.dvc("push")
    pin = project.read("a.bin.dvc").decode()
    project.write("a.bin.dvc", pin.replace(md5(GOOD).hexdigest(), WRONG))
    project.commit()
    clone = project.clone(tmp_path / "clone")
    result = clone.dvc("pull", ok=False)
    assert f"'a.bin' is not the object that was asked for: expected md5 {WRONG}" in result.err
    assert cached(clone) == {}


def test_an_import_is_what_its_dvc_file_says(
    project: Any, put: Any, env: dict[str, str], tmp_path: Path
) -> None:
    put("data/a.bin", GOOD)
    project.dvc("import-url", "--version-aware", f"hf://datasets/{REPO}/data/a.bin", "a.bin")
    pin = project.read("a.bin.dvc").decode()
    project.write("a.bin.dvc", pin.replace(md5(GOOD).hexdigest(), WRONG))
    project.commit()
    clone = project.clone(tmp_path / "clone")
    result = clone.dvc("pull", ok=False)
    assert "is not the object that was asked for" in result.err
    assert not (clone.folder / "a.bin").exists()


@pytest.mark.parametrize("in_memory", [True, False])
def test_what_is_read_through_dvc_is_what_the_dvc_file_says(
    pushed: Any, put: Any, tmp_path: Path, in_memory: bool
) -> None:
    clone = pushed.clone(tmp_path / "clone")
    put(path_of(md5(GOOD).hexdigest()), b"\0other" * 1000)
    assert "is not the object" in clone.dvc("get", ".", "m/a.bin", "--out", "x", ok=False).err
    assert not (clone.folder / "x").exists()
    script = (
        "import dvc.api, dvc_hf.filesystem.reading, sys\n"
        f"dvc_hf.filesystem.reading.READ_WHOLE = {10**9 if in_memory else 10}\n"
        "sys.stdout.write(str(len(dvc.api.read(sys.argv[1], mode='rb'))))"
    )
    good = clone.run(sys.executable, "-c", script, "m/b.bin")
    assert good.out == "1000"
    assert "is not the object" in clone.run(sys.executable, "-c", script, "m/a.bin", ok=False).err


def test_a_pull_with_verify_reads_nothing_twice(pushed: Any, tmp_path: Path) -> None:
    clone = pushed.clone(tmp_path / "clone")
    clone.dvc("remote", "modify", "hub", "verify", "true")
    script = (
        "import sys, dvc_data.hashfile.db as db\n"
        "hashed = []\n"
        "check = db.HashFileDB.check\n"
        "db.HashFileDB.check = lambda *args, **more: hashed.append(args) or check(*args, **more)\n"
        "from dvc.cli import main\n"
        "assert main(['fetch', '--quiet']) == 0\n"
        "print(len(hashed))"
    )
    assert clone.run(sys.executable, "-c", script).out.strip() == "0"


def test_a_name_that_is_no_digest_is_asked_for_nowhere(project: Any, tmp_path: Path) -> None:
    project.write("a.dvc", "outs:\n- md5: ../../../../victim\n  size: 8\n  hash: md5\n  path: a\n")
    victim = project.folder.parent / "victim"
    victim.write_text("mine")
    result = project.dvc("pull", ok=False)
    assert (
        "cannot read the object '../../../../victim': expected an md5 of 32 hexadecimal digits" in result.err
    )
    assert victim.read_text() == "mine"
