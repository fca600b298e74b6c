"""The page for users and the code say the same: every message, every option."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import dvc_hf
import pytest

SOURCE = Path(dvc_hf.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "dvc-hf.md"
HOLE = "…"
ERRORS = {"ConfigError", "AuthError", "RejectedError", "HubUnavailableError"}
OF_DVC = {"Unsupported URL type hf://": "dvc.config_schema", "is unsupported for cloud": "dvc.data_cloud"}


def text_of(node: ast.AST) -> str:
    """The string that an expression makes, with a hole for each value."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else HOLE
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    return HOLE


def trees() -> Iterator[ast.AST]:
    for path in SOURCE.rglob("*.py"):
        yield ast.parse(path.read_text(encoding="utf-8"))


def texts() -> Iterator[str]:
    """Every string of the code."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.Constant):
                yield re.sub(r"%[.0-9]*[sdf]", HOLE, text_of(node))


def messages() -> Iterator[str]:
    """What the code says to users when something is wrong."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "message":
                yield text_of(node.value)
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
                if name in ERRORS or name in ("warning", "error"):
                    yield re.sub(r"%[.0-9]*[sdf]", HOLE, text_of(node.args[0]))


def documented() -> list[str]:
    table = PAGE.read_text(encoding="utf-8").partition("## Troubleshooting")[2]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def says(message: str, text: str) -> bool:
    return re.search(".+?".join(map(re.escape, message.split(HOLE))), text) is not None


@pytest.mark.parametrize("message", documented())
def test_a_message_on_the_page_is_one_of_the_code(message: str) -> None:
    for part, module in OF_DVC.items():
        if part in message:
            spec = importlib.util.find_spec(module)
            assert spec is not None
            assert spec.origin is not None
            known = Path(spec.origin).read_text(encoding="utf-8")
            assert part.removesuffix(" hf://") in known
            return
    assert any(says(message, text) for text in texts())


def test_the_page_has_every_message() -> None:
    long = {text for text in messages() if len(text.replace(HOLE, "")) > 20}
    assert len(long) > 20
    assert [text for text in long if not any(says(message, text) for message in documented())] == []


def test_the_page_has_every_option() -> None:
    from dvc import config_schema
    from dvc_hf.hooks.schema import remote_options

    ours = {str(option) for option in remote_options(config_schema)} - {
        str(option) for option in config_schema.REMOTE_COMMON
    }
    page = PAGE.read_text(encoding="utf-8").partition("## Options")[2].partition("\n## ")[0]
    assert ours - set(re.findall(r"`(\w+)`", page)) == set()
