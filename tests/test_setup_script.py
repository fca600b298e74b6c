"""scripts/setup_dvc.sh: what it sets up, what it mends, what it leaves alone."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = str(ROOT / "scripts" / "setup_dvc.sh")


def contents(folder: Path) -> dict[str, bytes]:
    skipped = {"cache", "tmp", ".git"}
    files = [p for p in folder.rglob("*") if p.is_file() and not skipped & set(p.relative_to(folder).parts)]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture(params=["in git", "outside git"])
def somewhere(request, newcomer):
    somebody = newcomer()
    if request.param == "in git":
        somebody.types("git", "init", "--quiet")
    return somebody


def test_it_adds_the_documented_remote(somewhere):
    somewhere.types("bash", SCRIPT)
    listed = somewhere.types("dvc", "remote", "list").stdout
    assert listed.split()[:2] == ["huggingface", "hf://datasets/ninanor/beats-checkpoints"]
    assert somewhere.types("dvc", "config", "remote.huggingface.publish").stdout.strip() == "checkpoints"
    assert somewhere.types("dvc", "config", "core.remote").stdout.strip() == "huggingface"


def test_running_it_twice_changes_nothing(somewhere):
    (somewhere.folder / "checkpoints").mkdir()
    (somewhere.folder / "checkpoints" / "a.pt").write_bytes(b"weights")
    somewhere.types("bash", SCRIPT, "datasets/somebody/weights", "http://127.0.0.1:1")
    before = contents(somewhere.folder)
    somewhere.types("bash", SCRIPT, "datasets/somebody/weights", "http://127.0.0.1:1")
    assert contents(somewhere.folder) == before


def test_it_tracks_the_checkpoints_that_are_there(somewhere):
    (somewhere.folder / "checkpoints").mkdir()
    (somewhere.folder / "checkpoints" / "a.pt").write_bytes(b"weights")
    somewhere.types("bash", SCRIPT)
    assert "outs:" in (somewhere.folder / "checkpoints.dvc").read_text()


def test_it_takes_another_repository_and_another_hub(somewhere):
    somewhere.types("bash", SCRIPT, "models/somebody/weights", "http://127.0.0.1:1")
    config = (somewhere.folder / ".dvc" / "config").read_text()
    assert "url = hf://models/somebody/weights" in config
    assert "endpointurl = http://127.0.0.1:1" in config
    own = (somewhere.folder / ".dvc" / "config.local").read_text()
    assert "endpointurl = http://127.0.0.1:1" in own  # without it no token would go there


def test_it_mends_a_remote_that_points_at_a_web_page(somewhere):
    flags = [] if (somewhere.folder / ".git").exists() else ["--no-scm"]
    somewhere.types("dvc", "init", "--quiet", *flags)
    web_page = "https://huggingface.co/datasets/ninanor/beats-checkpoints"
    config = somewhere.folder / ".dvc" / "config"  # by hand: the command refuses such an address
    config.write_text(f"['remote \"huggingface\"']\n    url = {web_page}\n")
    somewhere.types("bash", SCRIPT)
    assert "hf://datasets/ninanor" in somewhere.types("dvc", "remote", "list").stdout


def test_it_leaves_the_default_remote_of_somebody_else_alone_and_says_so(somewhere):
    flags = [] if (somewhere.folder / ".git").exists() else ["--no-scm"]
    somewhere.types("dvc", "init", "--quiet", *flags)
    somewhere.types("dvc", "remote", "add", "--default", "lab", str(somewhere.folder.parent / "lab"))
    said = somewhere.types("bash", SCRIPT).stdout
    assert somewhere.types("dvc", "config", "core.remote").stdout.strip() == "lab"
    assert "dvc push -r huggingface" in said


def test_from_a_subfolder_it_sets_up_the_whole_repository(newcomer):
    somebody = newcomer()
    somebody.types("git", "init", "--quiet")
    deeper = somebody.folder / "a" / "b"
    deeper.mkdir(parents=True)
    somebody.at(deeper).types("bash", SCRIPT)
    assert (somebody.folder / ".dvc" / "config").exists()


def test_without_dvc_it_says_what_to_install(newcomer):
    somebody = newcomer().exporting(PATH="/usr/bin:/bin")
    assert shutil.which("dvc", path="/usr/bin:/bin") is None
    said = somebody.types("bash", SCRIPT, fails=True).stderr
    assert "DVC is not installed" in said
    assert "pip install dvc dvc-hf" in said


def test_without_the_plugin_it_says_what_to_install(newcomer):
    somebody = newcomer()
    bare = somebody.folder / "dvc"
    bare.write_text("#!/bin/sh\necho 'Supports:'\necho '	http (aiohttp = 3.9)'\n")
    bare.chmod(bare.stat().st_mode | stat.S_IXUSR)
    somebody = somebody.exporting(PATH=f"{somebody.folder}:/usr/bin:/bin")
    assert "pip install dvc-hf" in somebody.types("bash", SCRIPT, fails=True).stderr


def test_an_unknown_option_is_refused(newcomer):
    assert "Usage:" in newcomer().types("bash", SCRIPT, "--force", fails=True).stderr


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://huggingface.co/datasets/alice/weights", "hf://datasets/alice/weights"),
        ("https://huggingface.co/datasets/alice/weights/tree/main", "hf://datasets/alice/weights"),
        ("https://hf.co/alice/weights/", "hf://models/alice/weights"),
        ("hf://datasets/alice/weights@v1/sub", "hf://datasets/alice/weights@v1/sub"),
    ],
)
def test_a_web_address_becomes_the_url_of_its_repository(newcomer, given, url):
    somebody = newcomer()
    somebody.types("bash", SCRIPT, given)
    assert f"url = {url}\n" in (somebody.folder / ".dvc" / "config").read_text()


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("datasets/alice", "Write it as datasets/OWNER/NAME"),
        ("weights", "Write it as datasets/OWNER/NAME"),
        ("https://example.org/datasets/alice/weights", "Write it as datasets/OWNER/NAME"),
        ("hf://datasets/alice", "Write it as datasets/OWNER/NAME"),
        ("alice/weights", "setup_dvc.sh datasets/alice/weights, or "),
    ],
)
def test_what_names_no_repository_is_refused_and_nothing_is_changed(newcomer, given, advice):
    somebody = newcomer()
    said = somebody.types("bash", SCRIPT, given, fails=True)
    assert f"'{given}' names no repository on the Hub" in said.stderr
    assert advice in said.stderr
    assert not (somebody.folder / ".dvc").exists()


def test_a_clone_knows_the_remote_whatever_its_maintainer_adds_by_hand(newcomer):
    somebody = newcomer()
    somebody.types("git", "init", "--quiet")
    somebody.types("bash", SCRIPT, "datasets/alice/weights")
    (somebody.folder / "checkpoints" / "a.pt").write_bytes(b"weights")
    somebody.types("dvc", "add", "checkpoints/")
    somebody.types("git", "add", "checkpoints.dvc", ".gitignore")
    somebody.types("git", "commit", "--quiet", "-m", "Add BEATs checkpoints to DVC tracking")
    committed = somebody.types("git", "show", "HEAD:.dvc/config").stdout
    assert "url = hf://datasets/alice/weights" in committed
