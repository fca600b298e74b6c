"""A hook of MkDocs: the reference, one page a room, written from the docstrings of the three distributions.

A room is read from the folders, so that a new one has its page without a word here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = {"beats_trainer": "beats-trainer", "dvc_hf": "dvc-hf", "minihub": "minihub"}
FOLDER = "reference"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page a room, and the list of them."""
    for name, text in written_pages().items():
        files.append(File.generated(config, f"{FOLDER}/{name}", content=text))
    return files


def written_pages() -> dict[str, str]:
    """Every page of the reference by its name."""
    pages = {"index.md": index_page()}
    for room in all_rooms():
        pages[f"{room_name(room)}.md"] = room_page(room)
    return pages


def index_page() -> str:
    """The list of all rooms, each with what it holds."""
    lines = ["# Reference", "", "Written from the docstrings: one page a room.", ""]
    for package, distribution in DISTRIBUTIONS.items():
        lines += [f"## {distribution}", "", "| room | what it holds |", "|---|---|"]
        rooms = [room for room in all_rooms() if room_name(room).split(".")[0] == package]
        lines += [
            f"| [{room_name(r)}]({room_name(r)}.md) | {first_sentence(r / '__init__.py')} |" for r in rooms
        ]
        lines.append("")
    return "\n".join(lines)


def room_page(room: Path) -> str:
    """One room: each of its files, with the public names in it."""
    modules = sorted(path for path in room.glob("*.py") if path.stem not in {"__init__", "__main__"})
    names = [f"{room_name(room)}.{path.stem}" for path in modules if not path.stem.startswith("_")]
    parts = [f"# {room_name(room)}", docstring(room / "__init__.py"), offered_names(room)]
    return "\n\n".join([*parts, *(f"::: {name}" for name in names)])


def offered_names(room: Path) -> str:
    """What a room offers under its own name, each with the way to where it is described."""
    tree = ast.parse((room / "__init__.py").read_text(encoding="utf-8"))
    homes = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and f"{node.module}".startswith(f"{room_name(room)}.")
        for alias in node.names
    }
    offered = [name for name in homes if name in exported_names(tree)]
    lines = [f"- [`{room_name(room)}.{name}`][{homes[name]}]" for name in sorted(offered)]
    return "\n".join(["Offered under the room's own name:", "", *lines]) if lines else ""


def exported_names(tree: ast.Module) -> list[str]:
    """The names in a module's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def all_rooms() -> Iterator[Path]:
    """Every folder with code in it, and the distribution's own, whose files are doors and constants."""
    for package, distribution in DISTRIBUTIONS.items():
        source = ROOT / distribution / "src" / package
        yield from sorted(path.parent for path in source.rglob("__init__.py"))


def room_name(room: Path) -> str:
    """`beats_trainer.encoder.fast` for its folder."""
    return ".".join(room.parts[room.parts.index("src") + 1 :])


def first_sentence(path: Path) -> str:
    """What a room's docstring says in its first line."""
    return docstring(path).splitlines()[0]


def docstring(path: Path) -> str:
    """The docstring of a file, which each has: ruff holds that."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
