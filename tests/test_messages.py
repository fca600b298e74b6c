"""The page of all messages and the code that gives them: each message is there, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "beats-trainer" / "src" / "beats_trainer"
PAGE = ROOT / "docs" / "troubleshooting.md"
WORDS = 4  # a sentence has at least so many

# Whose every sentence is a message.
MODULES = (
    *(
        "hub/fetch",
        "hub/download",
        "hub/errors",
        "hub/cache",
        "hub/lookup",
        "hub/partial_file",
        "hub/lock",
        "hub/session",
        "hub/retry",
        "hub/response",
        "hub/announcement",
        "hub/credential",
        "hub/signed_repository",
        "hub/signature",
    ),
    *(
        "publish/package",
        "publish/upload",
        "publish/card",
        "publish/bundle",
        "publish/bundle_archive",
        "publish/bundle_check",
        "publish/bundle_install",
    ),
    *("load", "extras"),
    *("encoder/heads",),
    *(
        "checkpoint/build",
        "checkpoint/container",
        "checkpoint/pickles",
        "checkpoint/content",
        "checkpoint/read",
        "checkpoint/heads",
        "checkpoint/write",
    ),
    *(
        "pins/pin",
        "pins/dvcfile",
        "pins/dvcconfig",
        "pins/origin",
        "pins/registry",
        "pins/address",
        "pins/folders",
        "pins/digest",
    ),
    *(
        "foreign/texts",
        "foreign/plainyaml",
        "foreign/measure",
    ),
    *(
        "cli/publish",
        "cli/pin",
        "cli/checkpoints",
        "cli/bundle",
    ),
)
ALSO_ON_THE_PAGE = (
    "publish/hub_words",
    "encoder/model",
    "encoder/self_check",
    "cli/doctor",
)
# Sentences that are no messages: of the card that is written, of the commit, of the command's help.
NO_MESSAGES = {"model_card", "_body", "_usage", "card_text", "_identity"}
QUIET = {"info", "debug", "option", "say", "compile"}
COMMIT_MESSAGE = "Publish … and its card"


def template(node: ast.expr) -> str:
    """The text of a string, with `…` for what differs."""
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"
    return re.sub(r"%\.?\d*[sdf]", "…", text)


def strings(node: ast.AST) -> Iterator[str]:
    """The strings below a node that a reader may see."""
    if isinstance(node, ast.FunctionDef) and node.name in NO_MESSAGES:
        return
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in QUIET:
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.JoinedStr | ast.Constant):
        if isinstance(node, ast.JoinedStr) or isinstance(node.value, str):
            yield template(node)
        return
    for child in ast.iter_child_nodes(node):
        yield from strings(child)


def messages(*modules: str, source: Path = SOURCE) -> set[str]:
    """All texts of some modules."""
    trees = [ast.parse((source / f"{name}.py").read_text(encoding="utf-8")) for name in modules]
    return {text for tree in trees for text in strings(tree)} - {COMMIT_MESSAGE}


def sentences(texts: set[str], words: int = WORDS) -> set[str]:
    """Those of some texts that are long enough to be a message of their own."""
    return {text for text in texts if len(re.findall(r"[A-Za-z]\w+", text)) >= words}


def rows(page: str) -> list[list[str]]:
    """The first cell of each row, as its parts between the dots."""
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    cells = [line.split(" | ")[0].removeprefix("| ").strip("`") for line in lines]
    return [[part for part in cell.split("…") if part.strip()] for cell in cells]


def fits(row: list[str], text: str) -> bool:
    """Whether the parts of a row are in a message, one after the other."""
    at = 0
    for part in row:
        at = text.find(part, at) + len(part)
        if at < len(part):
            return False
    return True


def test_every_message_is_on_the_page():
    on_page, told = rows(PAGE.read_text(encoding="utf-8")), sentences(messages(*MODULES))
    assert len(told) > 90
    assert sorted(text for text in told if not any(fits(row, text) for row in on_page)) == []


def test_every_row_of_the_page_is_a_message():
    known = messages(*MODULES, *ALSO_ON_THE_PAGE)
    on_page = rows(PAGE.read_text(encoding="utf-8"))
    assert ["…".join(row) for row in on_page if not any(fits(row, text) for text in known)] == []


def test_every_remedy_of_the_doctor_is_on_the_page():
    tree = ast.parse((SOURCE / "cli/doctor.py").read_text(encoding="utf-8"))
    lines = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and is_line(call)]
    assigned = {
        node.targets[0].id: template(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    on_page = rows(PAGE.read_text(encoding="utf-8"))
    remedies = [line.args[3] for line in lines if len(line.args) > 3]
    assert len(remedies) >= 9
    for remedy in remedies:
        text = assigned[remedy.id] if isinstance(remedy, ast.Name) else told(remedy)
        assert any(fits(row, text) for row in on_page), f"docs/troubleshooting.md lacks: {text}"


def is_line(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "Line"


def told(node: ast.expr) -> str:
    """The longest text in an expression."""
    return max((text for text in strings(node)), key=len)
