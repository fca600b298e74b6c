"""The rules of the repository that no linter holds."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACE = re.compile(
    r"(?<![\w./-])((?:beats-trainer|dvc-hf|minihub|scripts|benchmarks|tests)(?:/[a-z_]+)+(?:\.\w+)?)(?![\w*/{])"
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
WEIGHTS = {".pt", ".pth", ".safetensors", ".ckpt", ".bin"}
GOLDEN = ROOT / "beats-trainer" / "tests" / "golden"
DESIGN = ROOT / "docs" / "design.md"
SOURCES = {
    "beats-trainer": ROOT / "beats-trainer" / "src" / "beats_trainer",
    "dvc-hf": ROOT / "dvc-hf" / "src" / "dvc_hf",
    "minihub": ROOT / "minihub" / "src" / "minihub",
}
FILE = re.compile(r"[\w./-]*\w\.(?:py|sh|toml)\b")
MODULE = re.compile(r"\b(?:beats_trainer|dvc_hf|minihub)(?:\.\w+)+")
NO_MODULES = {"dvc_hf.pth", "dvc_hf.start", "minihub.md"}


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


def pages() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md"]


def test_every_file_that_a_page_names_is_there():
    tracked = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    named = {(page, file) for page in pages() for file in FILE.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 50
    lost = [f"{p.relative_to(ROOT)}: {f}" for p, f in named if not (ends_one(f, tracked) or is_of_dvc(f))]
    assert sorted(lost) == []


def test_every_place_that_a_script_names_is_there():
    """What the suite does not run, such as the matrices, would notice nothing when a folder moves."""
    scripts = [p for p in tracked_files() if p.suffix in (".py", ".sh") and "tests" not in p.parts]
    scripts += [ROOT / "Makefile", ROOT / ".ci" / "run"]
    named = {(p, place) for p in scripts for place in PLACE.findall(p.read_text(encoding="utf-8"))}
    assert len(named) > 20
    assert (
        sorted(f"{p.relative_to(ROOT)}: {place}" for p, place in named if not (ROOT / place).exists()) == []
    )


def ends_one(file: str, tracked: list[str]) -> bool:
    return any(f"/{path}".endswith(f"/{file.removeprefix('./')}") for path in tracked)


def is_of_dvc(file: str) -> bool:
    package, _, rest = file.partition("/")
    spec = importlib.util.find_spec(package) if package in {"dvc", "dvc_data"} else None
    return spec is not None and spec.origin is not None and (Path(spec.origin).parent / rest).is_file()


def test_every_module_that_a_page_names_is_there():
    texts = [(page, page.read_text(encoding="utf-8")) for page in pages()]
    named = {(page, name) for page, text in texts for name in MODULE.findall(text)} - {
        (page, name) for page, _ in texts for name in NO_MODULES
    }
    assert len(named) > 5
    assert sorted(f"{p.relative_to(ROOT)}: {name}" for p, name in named if not is_there(name)) == []


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, a room, or a name that stands in one."""
    parts = name.split(".")
    at = next(source for source in SOURCES.values() if source.name == parts[0])
    for position, part in enumerate(parts[1:], 1):
        inner = at / part
        if inner.is_dir() or inner.with_suffix(".py").is_file():
            at = inner
            continue
        file = at / "__init__.py" if at.is_dir() else at.with_suffix(".py")
        return part in defined_names(file) and position >= len(parts) - 2
    return True


def defined_names(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return defined | {text for text in strings if isinstance(text, str)}  # a name of the lazy `__all__`


@pytest.mark.parametrize("distribution", SOURCES)
def test_the_design_has_a_row_for_each_room(distribution: str):
    section = DESIGN.read_text(encoding="utf-8").partition(f"\n## {distribution}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w/]+)/` \|", section, re.MULTILINE)
    source = SOURCES[distribution]
    rooms = {path.parent.relative_to(source).as_posix() for path in source.rglob("__init__.py")} - {"."}
    assert rooms
    assert sorted(rows) == sorted(rooms | kept_floors(source.name))


def kept_floors(package: str) -> set[str]:
    """Floors that the contracts keep for rooms to come: in brackets there, and not a file today."""
    layers = next(c["layers"] for c in contracts() if c.get("containers") == [package])
    kept = re.findall(r"\((\w+)\)", " ".join(layers))
    source = next(source for source in SOURCES.values() if source.name == package)
    return {name for name in kept if not (source / f"{name}.py").exists() and not (source / name).exists()}


def contracts() -> list[dict]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["importlinter"]["contracts"]


def test_the_design_names_every_contract_and_no_other():
    named = re.findall(r"^\| \*([^*]+)\* \|", DESIGN.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(contract["name"] for contract in contracts())


def test_every_journey_leads_through_at_most_three_files():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## Six journeys\n")[2]
    journeys = list(steps(text.partition("\n## ")[0]))
    assert len(journeys) == 6
    assert all(1 <= len(files) <= 3 for files in journeys)


def steps(text: str) -> Iterator[list[str]]:
    """The files of each journey, which are numbered."""
    for journey in text.split("\n### ")[1:]:
        yield re.findall(r"^\d\. `([^`]+)`", journey, re.MULTILINE)


def test_the_pages_and_the_reference_are_built_by_ci_and_a_warning_fails_it():
    check = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ncheck:")[2].partition("\n\n")[0]
    assert "make check" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "mkdocs build" in check
    assert "\nstrict: true\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
