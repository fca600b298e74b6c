"""The rules of the repository that no linter holds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
WEIGHTS = {".pt", ".pth", ".safetensors", ".ckpt", ".bin"}
GOLDEN = ROOT / "beats-trainer" / "tests" / "golden"


def tracked_files() -> list[Path]:
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in out.stdout.split("\0") if name]


def test_no_weights_are_tracked_but_the_tiny_golden_ones():
    weights = [p for p in tracked_files() if p.suffix in WEIGHTS and not p.is_relative_to(GOLDEN)]
    assert [p for p in weights if p.name != "dvc_hf.pth"] == []


def test_constraints_hold_versions_and_no_addresses():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert all("://" not in line and "==" in line for line in pins)


def test_every_relative_link_of_the_documentation_leads_somewhere():
    pages = [p for p in tracked_files() if p.suffix == ".md"]
    links = [(page, link) for page in pages for link in LINK.findall(page.read_text(encoding="utf-8"))]
    assert links
    broken = [f"{p.relative_to(ROOT)}: {link}" for p, link in links if not (p.parent / link).exists()]
    assert broken == []
