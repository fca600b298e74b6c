"""The recipe, literally: publish with DVC to a Hub over HTTP, then everything that its readers do next."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

REPO = "ninanor/beats-checkpoints"
NAMES = {"BEATs_iter3_plus_AS2M.pt", "openbeats.pt", "README.md"}


def commits(hub) -> list[str]:
    return [c.title for c in HfApi(endpoint=hub.endpoint).list_repo_commits(REPO, repo_type="dataset")]


def top_of(hub) -> set[str]:
    tree = HfApi(endpoint=hub.endpoint).list_repo_tree(REPO, repo_type="dataset")
    return {entry.path for entry in tree} - {".gitattributes", "files"}


def follow_the_recipe(maintainer) -> None:
    maintainer.types("bash", "scripts/setup_dvc.sh")
    maintainer.types("beats", "card", "checkpoints/")
    maintainer.types("dvc", "add", "checkpoints/")
    maintainer.types("git", "add", "checkpoints.dvc", ".gitignore", ".dvc/config", ".dvc/.gitignore")
    maintainer.types("git", "commit", "--quiet", "-m", "Add BEATs checkpoints to DVC tracking")
    maintainer.types("dvc", "push")
    maintainer.types("git", "push", "--quiet", "origin", "main")


@pytest.fixture
def published(project, hub):
    HfApi(endpoint=hub.endpoint, token=project.env["HF_TOKEN"]).create_repo(REPO, repo_type="dataset")
    follow_the_recipe(project)
    return project


@pytest.fixture
def clone(published, newcomer):
    """A second user's clone: empty home, no token."""

    def make(name: str, **variables: str):
        somebody = newcomer(name, HF_ENDPOINT=published.env["HF_ENDPOINT"], **variables)
        somebody.types("git", "clone", "--quiet", str(published.folder.parent / "origin.git"), "clone")
        return somebody.at(somebody.folder / "clone")

    return make


def test_a_push_is_one_commit_and_the_next_push_none(published, hub):
    before = commits(hub)
    assert len(before) == 2, "the commit that made the repository, and ours"
    published.types("dvc", "push")
    assert commits(hub) == before


def test_the_hub_shows_the_plain_names(published, hub):
    assert top_of(hub) == NAMES


def test_a_push_leaves_git_clean(published):
    assert published.types("git", "status", "--porcelain").stdout.split() == ["??", "scripts/"]


def test_a_clone_pulls_the_same_bytes_that_hf_hub_download_gives(published, clone, hub):
    somebody = clone("puller")
    somebody.types("dvc", "pull")
    download = (
        "import sys; from huggingface_hub import hf_hub_download;"
        f"print(hf_hub_download({REPO!r}, sys.argv[1], repo_type='dataset'))"
    )
    for name in NAMES:
        plain = Path(somebody.types(sys.executable, "-c", download, name).stdout.strip()).read_bytes()
        original = (published.folder / "checkpoints" / name).read_bytes()
        assert (somebody.folder / "checkpoints" / name).read_bytes() == original == plain


def test_somebody_without_dvc_gets_exactly_those_bytes(published, clone):
    code = (
        "import sys; sys.modules['dvc'] = sys.modules['dvc_hf'] = None\n"
        "from beats_trainer import fetch_checkpoint\n"
        "print(fetch_checkpoint('BEATs_iter3_plus_AS2M'))"
    )
    somebody = clone("user", BEATS_PINS="checkpoints.dvc")
    fetched = Path(somebody.types(sys.executable, "-c", code).stdout.strip())
    assert (
        fetched.read_bytes() == (published.folder / "checkpoints" / "BEATs_iter3_plus_AS2M.pt").read_bytes()
    )


def test_the_extractor_needs_no_argument(clone):
    recording = Path(__file__).parents[1] / "recordings" / "tabla_tun2.flac"
    code = (
        "import sys; from beats_trainer import BEATsFeatureExtractor\n"
        "print(*BEATsFeatureExtractor().extract_from_file(sys.argv[1]).shape)"
    )
    somebody = clone("user", BEATS_PINS="checkpoints.dvc")
    assert somebody.types(sys.executable, "-c", code, str(recording)).stdout.split() == ["48"]


def test_the_commands_for_manual_work_work(published, clone):
    somebody = clone("manual")
    assert "deleted" in somebody.types("dvc", "status").stdout
    somebody.types("dvc", "pull")
    assert "up to date" in somebody.types("dvc", "status").stdout
    assert "in sync" in somebody.types("dvc", "status", "-c").stdout
    assert "No changes" in somebody.types("dvc", "data", "status").stdout
    cache = Path(somebody.types("dvc", "cache", "dir").stdout.strip())
    somebody.types("dvc", "gc", "-w", "-f")
    assert [p for p in cache.rglob("*") if p.is_file()]
    shutil.rmtree(cache)
    shutil.rmtree(somebody.folder / "checkpoints")
    somebody.types("dvc", "pull")
    assert {p.name for p in (somebody.folder / "checkpoints").iterdir()} == NAMES


def test_a_name_that_leaves_the_folder_leaves_the_top_and_its_pin_still_works(published, clone, hub):
    old = clone("old", BEATS_PINS="checkpoints.dvc")
    (published.folder / "checkpoints" / "openbeats.pt").unlink()
    published.types("beats", "card", "checkpoints/")
    published.types("dvc", "add", "checkpoints/")
    published.types("dvc", "push")
    assert top_of(hub) == NAMES - {"openbeats.pt"}
    assert len(commits(hub)) == 3
    old.types("beats", "fetch", "openbeats")


def test_a_clone_that_lacks_a_commit_of_the_hub_still_pushes(published, hub):
    HfApi(endpoint=hub.endpoint, token=published.env["HF_TOKEN"]).upload_file(
        path_or_fileobj=b"by hand", path_in_repo="notes.txt", repo_id=REPO, repo_type="dataset"
    )
    (published.folder / "checkpoints" / "more.bin").write_bytes(b"more")
    published.types("dvc", "add", "checkpoints/")
    published.types("dvc", "push")
    assert top_of(hub) == NAMES | {"notes.txt", "more.bin"}


class TestWhatGoesWrong:
    def test_the_repository_is_missing(self, project):
        with pytest.raises(AssertionError) as error:
            follow_the_recipe(project)
        assert "ninanor/beats-checkpoints" in str(error.value)
        assert "create" in str(error.value)

    def test_the_token_is_missing(self, published, newcomer):
        (published.folder / "checkpoints" / "more.bin").write_bytes(b"more")
        published.types("dvc", "add", "checkpoints/")
        without = published.exporting(HF_TOKEN="")
        said = without.types("dvc", "push", fails=True)
        assert "hf auth login" in said.stdout + said.stderr

    def test_the_token_may_only_read(self, published, hub):
        (published.folder / "checkpoints" / "more.bin").write_bytes(b"more")
        published.types("dvc", "add", "checkpoints/")
        token = hub.token("ninanor", role="read")
        said = published.exporting(HF_TOKEN=token).types("dvc", "push", fails=True)
        assert "write" in said.stdout + said.stderr
        assert token not in said.stdout + said.stderr
