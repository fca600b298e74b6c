"""The recipe, literally: publish with DVC to a Hub over HTTP, then everything that its readers do next."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

ROOT = Path(__file__).parents[1]
REPO = "ninanor/beats-checkpoints"
NAMES = {"BEATs_iter3_plus_AS2M.pt", "openbeats.pt", "README.md"}


def commits(hub) -> list[str]:
    return [c.title for c in HfApi(endpoint=hub.endpoint).list_repo_commits(REPO, repo_type="dataset")]


def top_of(hub) -> set[str]:
    tree = HfApi(endpoint=hub.endpoint).list_repo_tree(REPO, repo_type="dataset")
    return {entry.path for entry in tree} - {".gitattributes", "files"}


@pytest.fixture
def clone(published, newcomer):
    """Makes a second user with a clone: empty home, no token."""
    maintainer, hub = published

    def make(name: str = "user", **variables: str):
        somebody = newcomer(name, HF_ENDPOINT=hub.endpoint, **variables)
        somebody.types("git", "clone", "--quiet", str(maintainer.folder.parent / "origin.git"), "clone")
        return somebody.at(somebody.folder / "clone")

    return make


@pytest.fixture
def wheel_of(tmp_path):
    """Builds the wheel of a release that a repository makes, and unpacks it as pip does."""

    def build(repository: Path) -> Path:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z", "beats-trainer"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        tree = tmp_path / "release"
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file() and "/tests/" not in name:
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        for name in ("checkpoints.dvc", ".dvc/config"):
            (tree / name).parent.mkdir(exist_ok=True)
            shutil.copy2(repository / name, tree / name)
        command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path / "out"]
        subprocess.run([*command, tree / "beats-trainer"], check=True, capture_output=True, timeout=120)
        (wheel,) = (tmp_path / "out").iterdir()
        shutil.unpack_archive(wheel, tmp_path / "installed", "zip")
        return tmp_path / "installed"

    return build


@pytest.fixture
def original(published) -> Path:
    """The maintainer's own folder of checkpoints."""
    return published[0].folder / "checkpoints"


class TestThePublisher:
    def test_makes_one_commit_and_with_the_next_push_none(self, published):
        maintainer, hub = published
        before = commits(hub)
        assert len(before) == 2, "the commit that made the repository, and ours"
        maintainer.types("dvc", "push")
        assert commits(hub) == before

    def test_sees_the_plain_names_on_the_hub(self, published):
        assert top_of(published[1]) == NAMES

    def test_has_nothing_left_to_commit(self, published):
        assert published[0].types("git", "status", "--porcelain").stdout.split() == ["??", "scripts/"]


class TestTheReader:
    def test_pulls_the_same_bytes_that_hf_hub_download_gives(self, clone, original):
        somebody = clone()
        somebody.types("dvc", "pull")
        download = (
            "import sys; from huggingface_hub import hf_hub_download;"
            f"print(hf_hub_download({REPO!r}, sys.argv[1], repo_type='dataset'))"
        )
        for name in NAMES:
            plain = Path(somebody.types(sys.executable, "-c", download, name).stdout.strip())
            pulled = somebody.folder / "checkpoints" / name
            assert pulled.read_bytes() == (original / name).read_bytes() == plain.read_bytes()

    def test_gets_exactly_those_bytes_without_dvc(self, clone, original):
        code = (
            "import sys; sys.modules['dvc'] = sys.modules['dvc_hf'] = None\n"
            "from beats_trainer import fetch_checkpoint\n"
            "print(fetch_checkpoint('BEATs_iter3_plus_AS2M'))"
        )
        somebody = clone(BEATS_PINS="checkpoints.dvc")
        fetched = Path(somebody.types(sys.executable, "-c", code).stdout.strip())
        assert fetched.read_bytes() == (original / "BEATs_iter3_plus_AS2M.pt").read_bytes()

    def test_needs_no_argument_for_the_extractor(self, clone):
        recording = ROOT / "recordings" / "tabla_tun2.flac"
        code = (
            "import sys; from beats_trainer import BEATsFeatureExtractor\n"
            "extractor = BEATsFeatureExtractor()\n"
            "assert extractor.extract_from_file(sys.argv[1]).shape == (extractor.dim,)"
        )
        clone(BEATS_PINS="checkpoints.dvc").types(sys.executable, "-c", code, str(recording))

    def test_works_by_hand_with_every_command_of_the_recipe(self, clone):
        somebody = clone()
        assert "not in cache" in somebody.types("dvc", "status").stdout
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


class TestWhoeverInstallsTheWheel:
    """A release after the publication: no clone, no pin, no variable that names one."""

    def test_gets_the_published_bytes_by_the_default_name(self, published, wheel_of, newcomer, original):
        maintainer, hub = published
        installed = wheel_of(maintainer.folder)
        hub.requests.clear()
        somebody = newcomer("stranger", HF_ENDPOINT=hub.endpoint, PYTHONPATH=str(installed))
        recording = ROOT / "recordings" / "tabla_tun2.flac"
        code = (
            "import sys, beats_trainer; from beats_trainer import BEATsFeatureExtractor, fetch_checkpoint\n"
            "assert beats_trainer.__file__.startswith(sys.argv[2])\n"
            "extractor = BEATsFeatureExtractor()\n"
            "assert extractor.extract_from_file(sys.argv[1]).shape == (extractor.dim,)\n"
            "print(fetch_checkpoint('BEATs_iter3_plus_AS2M'))"
        )
        typed = somebody.types(sys.executable, "-c", code, str(recording), str(installed))
        fetched = Path(typed.stdout.strip())
        assert fetched.read_bytes() == (original / "BEATs_iter3_plus_AS2M.pt").read_bytes()
        assert {record.path.split("/resolve/")[0] for record in hub.requests} == {f"/datasets/{REPO}"}


class TestWhoeverIsInTrouble:
    """The commands of the recipe's troubleshooting, as they are written there or are called today."""

    def test_sees_where_the_remote_is(self, clone):
        assert f"hf://datasets/{REPO}" in clone().types("dvc", "remote", "list", "-v").stdout

    def test_clears_the_local_cache_and_downloads_again(self, clone, original):
        somebody = clone()
        somebody.types("dvc", "pull")
        cache = Path(somebody.types("dvc", "cache", "dir").stdout.strip())
        assert cache == somebody.folder / ".dvc" / "cache"
        somebody.types("bash", "-c", "rm -rf .dvc/cache/* checkpoints")
        assert not list(cache.iterdir())
        somebody.types("dvc", "pull")
        for name in NAMES:
            assert (somebody.folder / "checkpoints" / name).read_bytes() == (original / name).read_bytes()

    def test_is_asked_before_unused_copies_go(self, clone):
        somebody = clone()
        somebody.types("dvc", "pull")
        somebody.types("bash", "-c", "echo n | dvc gc -w", fails=True)
        somebody.types("bash", "-c", "echo y | dvc gc -w")
        assert "up to date" in somebody.types("dvc", "status").stdout

    def test_logs_in_anew_and_sees_who_they_are_for_the_hub(self, clone, published):
        somebody = clone(HF_TOKEN="")
        token = published[1].token("ninanor")
        nobody = somebody.types("hf", "auth", "whoami", fails=True)
        assert "not logged in" in (nobody.stdout + nobody.stderr).lower()
        somebody.types("hf", "auth", "login", "--token", token)
        assert "ninanor" in somebody.types("hf", "auth", "whoami").stdout
        code = "from huggingface_hub import HfApi; print(HfApi().whoami())"
        assert "'name': 'ninanor'" in somebody.types(sys.executable, "-c", code).stdout


@pytest.mark.usefixtures("repository")
class TestTheNextVersion:
    """Each on a Hub of its own: these change it."""

    def test_a_name_that_leaves_the_folder_leaves_the_top_and_old_pins_still_work(
        self, project, newcomer, hub
    ):
        old = newcomer("old", HF_ENDPOINT=hub.endpoint, BEATS_PINS="clone/checkpoints.dvc")
        old.types("git", "clone", "--quiet", str(project.folder.parent / "origin.git"), "clone")
        (project.folder / "checkpoints" / "openbeats.pt").unlink()
        project.types("beats", "card", "checkpoints/")
        project.types("dvc", "add", "checkpoints/")
        project.types("dvc", "push")
        assert top_of(hub) == NAMES - {"openbeats.pt"}
        assert len(commits(hub)) == 3
        old.types("beats", "fetch", "openbeats")

    def test_what_others_put_there_stays(self, project, hub):
        HfApi(endpoint=hub.endpoint, token=project.env["HF_TOKEN"]).upload_file(
            path_or_fileobj=b"by hand", path_in_repo="notes.txt", repo_id=REPO, repo_type="dataset"
        )
        (project.folder / "checkpoints" / "more.bin").write_bytes(b"more")
        project.types("dvc", "add", "checkpoints/")
        project.types("dvc", "push")
        assert top_of(hub) == NAMES | {"notes.txt", "more.bin"}

    def test_without_a_token_it_says_how_to_log_in(self, project):
        (project.folder / "checkpoints" / "more.bin").write_bytes(b"more")
        project.types("dvc", "add", "checkpoints/")
        said = project.exporting(HF_TOKEN="").types("dvc", "push", fails=True)
        assert "hf auth login" in said.stdout + said.stderr

    def test_a_token_that_may_only_read_is_named_as_such(self, project, hub):
        (project.folder / "checkpoints" / "more.bin").write_bytes(b"more")
        project.types("dvc", "add", "checkpoints/")
        token = hub.token("ninanor", role="read")
        said = project.exporting(HF_TOKEN=token).types("dvc", "push", fails=True)
        assert "write" in said.stdout + said.stderr
        assert token not in said.stdout + said.stderr


def test_a_repository_that_is_missing_is_named_with_the_command_that_makes_it(project):
    project.types("bash", "scripts/setup_dvc.sh")
    said = project.types("dvc", "push", fails=True)
    assert REPO in said.stdout + said.stderr
    assert "hf repos create" in said.stdout + said.stderr


@pytest.fixture
def repository(project, hub, follow_the_recipe):
    """What `published` is, on a Hub that only this test has."""
    HfApi(endpoint=hub.endpoint, token=project.env["HF_TOKEN"]).create_repo(REPO, repo_type="dataset")
    follow_the_recipe(project)
