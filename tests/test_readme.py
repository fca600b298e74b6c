"""Every command and code block of the README and of the publishing page runs as it is written."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import HfApi

ROOT = Path(__file__).parents[1]
TINY = ROOT / "beats-trainer" / "tests" / "golden" / "tiny" / "BEATs_iter3_plus_AS2M.pt"
REPO = "ninanor/beats-checkpoints"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text(encoding="utf-8"))


def make_targets(text: str) -> set[str]:
    return set(re.findall(r"^make (\w+)", text, re.MULTILINE))


@pytest.fixture
def checkout(project, hub):
    """What a reader has: a checkout, checkpoint files of their own, and a Hub that has the default one."""
    for name in ("recordings", ".dvc"):
        shutil.copytree(ROOT / name, project.folder / name, ignore=shutil.ignore_patterns("cache", "tmp"))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, project.folder / name)
    for owner in ("OWNER", "Bencr"):
        hub.user(owner)
    api = HfApi(endpoint=hub.endpoint, token=hub.token("Bencr", role="write"))
    api.create_repo("Bencr/beats", repo_type="dataset")
    place = api.upload_file(
        path_or_fileobj=TINY, path_in_repo=TINY.name, repo_id="Bencr/beats", repo_type="dataset"
    )
    pins = project.folder.parent / "pins"
    pins.mkdir()
    info = api.get_paths_info("Bencr/beats", [TINY.name], repo_type="dataset")[0]
    dep = {
        "path": f"hf://datasets/Bencr/beats/{TINY.name}",
        "etag": info.lfs.sha256,
        "version_id": place.oid,
        "size": info.size,
    }
    pin = {"deps": [dep], "outs": [{"path": TINY.name}]}
    (pins / f"{TINY.stem}.dvc").write_text(yaml.safe_dump(pin))
    project.types("git", "add", ".gitignore", ".dvcignore", ".dvc")
    project.types("git", "commit", "--quiet", "-m", "A checkout")
    token = hub.token("OWNER", role="write")
    return project.exporting(HF_TOKEN=token, BEATS_PINS=str(pins))


def test_the_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        named = make_targets("\n".join(code for _, code in blocks(page)))
        assert named
        assert named <= targets


def test_ci_runs_the_test_command_of_the_readme():
    assert "make test" in make_targets_of_ci()


def make_targets_of_ci() -> list[str]:
    return [
        line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")
    ]


def test_every_block_of_the_readme_runs(checkout, hub):
    HfApi(endpoint=hub.endpoint, token=checkout.env["HF_TOKEN"]).create_repo(
        "OWNER/NAME", repo_type="dataset"
    )
    ran = 0
    checkout.types("git", "config", "push.autoSetupRemote", "true")
    for language, code in blocks(ROOT / "README.md"):
        if make_targets(code):
            continue
        shell = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]
        checkout.types(*shell, code)
        ran += 1
    assert ran == 3
    assert (checkout.folder / "embeddings.parquet").stat().st_size > 0
    top = HfApi(endpoint=hub.endpoint).list_repo_files("OWNER/NAME", repo_type="dataset")
    assert {"BEATs_iter3_plus_AS2M.pt", "openbeats.pt", "README.md"} <= set(top)


def test_every_block_of_the_publishing_page_runs(checkout, hub):
    """All but `pip install`, in a checkout whose first remote is this repository's own."""
    token = hub.token("ninanor", role="write")
    HfApi(endpoint=hub.endpoint, token=token).create_repo(REPO, repo_type="dataset")
    reader = checkout.exporting(HF_TOKEN=token)
    reader.types("git", "config", "push.autoSetupRemote", "true")
    code = "\n".join(
        ("\n" + text if language == "bash" else f"python - <<'PYTHON'\n{text}PYTHON\n")
        for language, text in blocks(ROOT / "docs" / "publish.md")
        if "pip install" not in text
    )
    adapted = (
        code.replace("export HF_TOKEN=your_huggingface_token", "")
        .replace("./scripts/setup_dvc.sh datasets/OWNER/NAME http://127.0.0.1:8000\n", "")
        .replace("./scripts/setup_dvc.sh datasets/OWNER/NAME\n", "")
        .replace("hf repos create OWNER/NAME", "hf repos create ninanor/another")
        .replace("dvc gc -w ", "dvc gc -w -f ")
        .replace('rm -rf "$(dvc cache dir)"', "")
    )
    reader.types("bash", "-euo", "pipefail", "-c", adapted)
    assert (reader.folder / "checkpoints" / "README.md").exists()
