"""Which files go to the Hub's store: all objects, and whatever is binary anywhere."""

import os
from pathlib import Path

import pytest
from dvc_hf.commit.attributes import with_rule
from dvc_hf.hub.kinds import SAMPLE, binary_part, is_object, is_text
from huggingface_hub import HfApi
from minihub.testing import Hub

REPO = "alice/checkpoints"
OBJECT = "files/md5/ab/" + "c" * 30
RULE = b"files/md5/** filter=lfs diff=lfs merge=lfs -text\n"
HEAD = b"ply\n" + b"comment of a header that is plain text\n" * 20


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", True),
        (b"a,b\n1,2\n", True),
        ("Zaunkönig".encode(), True),
        ("Zaunkönig".encode("latin-1"), False),
        ("Zaunkönig".encode("utf-16"), False),
        (HEAD + b"\0\1\2", False),
        (HEAD + b"\x80" + HEAD, False),
        ("ö".encode()[:1], True),  # of a longer text, cut there
    ],
)
def test_what_is_binary_anywhere_is_no_text(content: bytes, text: bool) -> None:
    assert is_text(content) is text
    shown = binary_part(content)
    assert (shown == b"") is text
    assert shown in content
    assert len(shown) <= SAMPLE


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (OBJECT, True),
        (f"below/here/{OBJECT}.dir", True),
        ("files/md5/ab/short", False),
        ("files/published.json", False),
        ("README.md", False),
    ],
)
def test_objects_are_known_by_their_paths(path: str, expected: bool) -> None:
    assert is_object(path) is expected


def test_one_rule_a_folder_of_objects_and_none_twice() -> None:
    ours = with_rule(b"*.pt filter=lfs\n", [OBJECT, OBJECT.replace("ab", "cd")])
    assert ours == RULE + b"*.pt filter=lfs\n"
    assert with_rule(ours, [OBJECT]) == ours
    below = with_rule(b"", [f"a [b]/{OBJECT}"])
    assert below == rb"a[[:space:]]\[b\]/" + RULE
    assert with_rule(b"\xff no text\n", [OBJECT]) == RULE + b"\xff no text\n"


def small(api: HfApi, name: str, folder: Path) -> bytes:
    path = api.hf_hub_download(
        REPO, name, repo_type="dataset", cache_dir=folder / "seen", force_download=True
    )
    return Path(path).read_bytes()


def large(api: HfApi) -> set[str]:
    listed = api.list_repo_tree(REPO, repo_type="dataset", recursive=True)
    return {item.path for item in listed if getattr(item, "lfs", None)}


def test_gitattributes_grows_by_one_line_however_many_objects_come(publishing, api: HfApi, tmp_path) -> None:
    before = len(small(api, ".gitattributes", tmp_path).splitlines()) if has_rules(api) else 0
    for step in range(2):
        for number in range(20):
            publishing.write(f"checkpoints/{step}-{number}.unheard", f"\0{step}{number}")
        publishing.write(f"checkpoints/{step}.csv", f"a,b\n{step},1\n")
        publishing.dvc("add", "checkpoints")
        publishing.dvc("push")
        assert small(api, ".gitattributes", tmp_path).splitlines().count(RULE.strip()) == 1
    lines = small(api, ".gitattributes", tmp_path).splitlines()
    assert len([line for line in lines if line.startswith(b"files/")]) == 1
    assert len(lines) <= before + 41  # one for objects, and one for each shown name that no rule has


def test_objects_alone_leave_one_line_and_all_come_back(project, api: HfApi, tmp_path: Path) -> None:
    """Binary files, texts and listings; with 80 bytes an object, 131,000 of them would fill 10 MiB."""
    count = 2000 if os.environ.get("DVC_HF_LONG") else 60  # `make dvc-faults` takes as many as that
    for number in range(count):
        content = f"\0{number}" if number % 2 else f"text {number}\n"
        project.write(f"data/{number % 7}/{number}.x", content)
    project.dvc("add", "data")
    project.dvc("push")
    project.commit()
    lines = small(api, ".gitattributes", tmp_path).splitlines()
    assert [line for line in lines if line.startswith(b"files/")] == [RULE.strip()]
    clone = project.clone(tmp_path / "clone")
    clone.dvc("pull")
    for number in range(count):
        name = f"data/{number % 7}/{number}.x"
        assert clone.read(name) == project.read(name)


def has_rules(api: HfApi) -> bool:
    return bool(api.file_exists(REPO, ".gitattributes", repo_type="dataset"))


def test_texts_stay_texts_under_their_own_names_and_come_back_right(
    publishing, api: HfApi, tmp_path: Path
) -> None:
    publishing.write("checkpoints/labels.csv", "a,b\n1,2\n")
    publishing.write("checkpoints/empty.txt", "")
    publishing.dvc("add", "checkpoints")
    publishing.dvc("push")
    stored = large(api)
    assert {"BEATs.pt", "openbeats.pt"} <= stored
    assert not stored & {"README.md", "labels.csv", "empty.txt", "files/published.json"}
    assert len([path for path in stored if path.startswith("files/md5/")]) == 5  # and the listing
    assert small(api, "labels.csv", tmp_path) == b"a,b\n1,2\n"
    publishing.commit()
    clone = publishing.clone(tmp_path / "clone")
    clone.dvc("pull")
    for name in ("labels.csv", "empty.txt", "README.md"):
        assert clone.read(f"checkpoints/{name}") == publishing.read(f"checkpoints/{name}")


def test_a_rule_that_somebody_else_writes_meanwhile_is_not_lost(publishing, api: HfApi, tmp_path) -> None:
    before = f"""
from dvc_hf.hub.repo import RepoClient
write = RepoClient.write
def after_somebody(self, *arguments):
    RepoClient.write = write
    self.api.upload_file(path_or_fileobj=b"*.zip filter=lfs diff=lfs merge=lfs -text\\n",
                         path_in_repo=".gitattributes", repo_id={REPO!r}, repo_type="dataset")
    return write(self, *arguments)
RepoClient.write = after_somebody
"""
    publishing.dvc("push", before=before)
    lines = small(api, ".gitattributes", tmp_path).splitlines()
    assert lines == [RULE.strip(), b"*.zip filter=lfs diff=lfs merge=lfs -text"]


@pytest.mark.parametrize("option", [{}, {"worktree": "true"}, {"version_aware": "true"}])
def test_a_file_that_begins_as_text_and_goes_on_as_binary_is_stored(
    make_project, repo: str, api: HfApi, hub: Hub, option: dict[str, str]
) -> None:
    project = make_project(**option)
    project.write("d/scan.ply", HEAD + b"\0\0\x80?" * 500)
    project.write("d/a.csv", "a,b\n")
    project.dvc("add", "d")
    project.dvc("push")
    stored = large(api)
    if option:
        assert stored == {"d/scan.ply"}
    else:
        assert len(stored) == 3
