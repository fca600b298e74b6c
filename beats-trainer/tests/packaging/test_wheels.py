"""The wheels of the three distributions, opened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DISTRIBUTIONS = ("minihub", "dvc-hf", "beats-trainer")
WEIGHTS = (".pt", ".pth", ".safetensors", ".ckpt", ".bin", ".npz")
MD5 = "0123456789abcdef0123456789abcdef"
PIN = f"outs:\n- md5: {MD5}.dir\n  size: 1\n  nfiles: 1\n  hash: md5\n  path: checkpoints\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files of the repository, copied, so that nothing is written into it."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z", *DISTRIBUTIONS],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and "/tests/" not in name:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def build(project: Path, out: Path, *kinds: str) -> list[Path]:
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(out), str(project)],
        check=True,
        capture_output=True,
        env=os.environ | {"PIP_NO_INDEX": "1"},
        timeout=120,
    )
    return sorted(out.iterdir())


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_wheel_holds_code_and_no_weights(tree: Path, tmp_path: Path, distribution: str):
    (wheel,) = build(tree / distribution, tmp_path, "--wheel")
    held = names(wheel)
    assert [name for name in held if name.endswith(WEIGHTS) and Path(name).name != "dvc_hf.pth"] == []
    assert any(name.endswith("py.typed") for name in held)
    assert wheel.stat().st_size < 1_000_000


def test_the_wheel_carries_the_pins_of_weights_that_others_host_and_the_page(tree: Path, tmp_path: Path):
    (wheel,) = build(tree / "beats-trainer", tmp_path, "--wheel")
    held = set(names(wheel))
    assert "beats_trainer/pins/known/BEATs_iter3_plus_AS2M.dvc" in held
    page = ("report.html", "report.css", "map.js", "player.js", "main.js")
    assert held.issuperset(f"beats_trainer/report/assets/{name}" for name in page)


@pytest.mark.parametrize("kinds", [("--wheel",), ()], ids=["from the tree", "through an sdist"])
def test_the_wheel_carries_what_the_repository_has_published(
    tree: Path, tmp_path: Path, kinds: tuple[str, ...]
):
    repository = tmp_path / "repository"
    shutil.copytree(tree / "beats-trainer", repository / "beats-trainer")
    (repository / "checkpoints.dvc").write_text(PIN)
    (repository / ".dvc").mkdir()
    shutil.copy2(ROOT / ".dvc" / "config", repository / ".dvc" / "config")
    (repository / "checkpoints").mkdir()
    (repository / "checkpoints" / "BEATs_iter3_plus_AS2M.pt").write_bytes(b"weights")
    wheel = next(
        p for p in build(repository / "beats-trainer", tmp_path / "out", *kinds) if p.suffix == ".whl"
    )
    with zipfile.ZipFile(wheel) as archive:
        carried = "beats_trainer/pins/published/"
        assert archive.read(f"{carried}checkpoints.dvc").decode() == PIN
        archive.extractall(tmp_path / "installed")
    assert not any(name.endswith(".pt") for name in names(wheel))
    code = (
        "from beats_trainer.pins import registry; from beats_trainer.pins.dvcfile import read_pin; "
        "print(read_pin(registry.pin_paths()[0]).root)"
    )
    root = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed"), "BEATS_PINS": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert root.stdout.strip() == "hf://datasets/ninanor/beats-checkpoints"
