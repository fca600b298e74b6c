"""huggingface_hub's private names that we use stand in one table, and the newest release has them."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import dvc_hf
import huggingface_hub
import pytest

SOURCE = Path(dvc_hf.__file__).parent / "hub"  # the room that speaks with the Hub, as import-linter holds
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "design.md"
BEARERS = {
    "_build_hf_headers": huggingface_hub.HfApi,
    "_should_ignore": huggingface_hub.CommitOperationAdd,
    "_upload_mode": huggingface_hub.CommitOperationAdd,
    "_remote_oid": huggingface_hub.CommitOperationAdd,
    "_GLOBAL_CLIENT_FACTORY": import_module("huggingface_hub.utils._http"),
}


def used() -> Iterator[str]:
    """Each private module that is imported from, and each private attribute of a thing that is not ours."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and re.match(r"huggingface_hub\b.*\._", node.module or ""):
                yield from (f"{node.module}.{name.name}" for name in node.names)
            elif isinstance(node, ast.Attribute) and _is_private(node):
                yield node.attr


def _is_private(node: ast.Attribute) -> bool:
    is_ours = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    return node.attr.startswith("_") and not node.attr.startswith("__") and not is_ours


def documented() -> set[str]:
    text = PAGE.read_text(encoding="utf-8").partition("### Private names of huggingface_hub")[2]
    rows = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}


def test_the_table_has_every_private_name_and_no_other() -> None:
    assert documented() == set(used())


@pytest.mark.parametrize("name", sorted(set(used())))
def test_the_installed_release_has_it(name: str) -> None:
    module, _, last = name.rpartition(".")
    bearer = import_module(module) if module else BEARERS[last]
    made = bearer("a", b"") if bearer is huggingface_hub.CommitOperationAdd else bearer
    assert hasattr(made, last)


def test_the_bound_is_above_the_newest_tested_release() -> None:
    project = tomllib.loads((ROOT / "dvc-hf" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wanted,) = (line for line in project["dependencies"] if line.startswith("huggingface_hub"))
    bound = re.search(r"<(\d+)", wanted)
    assert bound
    assert int(huggingface_hub.__version__.partition(".")[0]) == int(bound[1]) - 1
