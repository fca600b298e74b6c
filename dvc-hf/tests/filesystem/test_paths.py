"""Names of any kind: each comes back as it was, or is refused before anything is sent."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from minihub.testing import Hub

LONG = bool(os.environ.get("DVC_HF_LONG"))  # `make dvc-faults`
EXAMPLES = 30 if LONG else 1
MODES = {
    "publish": {"publish": "data"},
    "version_aware": {"version_aware": "true"},
    "worktree": {"worktree": "true"},
}
LONGEST = 255  # bytes of a name, on most file systems
MARKS = " %#@&+=,;!~'()[]{}^$-_?*:\"|<>\\"
NASTY = (
    "a b", " a", "a ", "%41", "100%", "a#b", "a?b", "a@b", "main@0123", ".hidden", "..two", "...", "-rf", "~",
    "caf\u00e9", "cafe\u0301", "\u00c5", "A\u030a", "\u65e5\u672c", "\U0001f426", "\u202eabc", "a\u00a0b",
    "README.md", "readme.MD", ".gitattributes", ".gitignore", ".dvcignore", ".cache", ".git", "files", "md5",
    "a" * 255, "\u00e9" * 127, "CON", "a\\b", "a:b", "a*b", "a&b=c", "+", "tab\there",
)  # fmt: skip

numbers = itertools.count()
letters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/")
names = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.one_of(letters, st.sampled_from(MARKS)), min_size=1, max_size=40),
    st.text(letters, min_size=1, max_size=255).map(
        lambda text: text.encode()[:LONGEST].decode(errors="ignore")
    ),
).filter(lambda name: name not in ("", ".", "..") and len(name.encode()) <= LONGEST)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


def writable(project: Any, trees: set[str], run: int) -> dict[str, bytes]:
    """Those of the paths that this machine can hold together, each with a content that was never sent."""
    files: dict[str, bytes] = {}
    for number, path in enumerate(sorted(trees)):
        content = f"\0{run} {number}" if number % 2 else f"{run} {number}\n"
        try:
            project.write(f"data/{path}", content)
        except OSError:
            continue
        files[path] = content.encode()
    return files


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_any_name_comes_back_or_is_refused(mode, make_project, repo, hub: Hub, tmp_path, served) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sets(paths, min_size=1, max_size=12))
    @example({"refused\\here", "a.bin"})
    @example({".gitattributes/a b"})
    @example({name for name in NASTY if "\\" not in name and "\t" not in name})
    def check(trees: set[str]) -> None:
        number = next(numbers)
        project = make_project(folder=f"{mode}{number}", **MODES[mode])
        files = writable(project, trees, number)
        if project.dvc("add", "data", ok=None).status:
            return  # DVC's own refusal: nothing was asked of the Hub
        added = files_below(project.folder / "data")
        tracked = {path: files[path] for path in added if path in files and not is_left_out(path)}
        project.commit()
        hub.requests.clear()
        pushed = project.dvc("push", ok=None)
        if pushed.status:
            assert_refused_unsent(pushed, hub)
            return
        project.commit() if project.git("status", "--short").out else None
        clone = project.clone(tmp_path / f"clone{mode}{number}")
        clone.dvc("pull")
        assert files_below(clone.folder / "data") == tracked
        if mode == "publish":
            assert_shown(pushed, served(), tracked)

    check()


def is_left_out(path: str) -> bool:
    """Whether DVC does not track it at all: what is git's own."""
    return ".git" in path.split("/")


def assert_refused_unsent(pushed: Any, hub: Hub) -> None:
    """A push that fails says why, and has sent no content and made no commit."""
    assert "ERROR" in pushed.err
    assert hub.requests.count("PUT") == 0
    assert hub.requests.count("POST", "*/commit/*") == 0


def assert_shown(pushed: Any, there: dict[str, bytes], tracked: dict[str, bytes]) -> None:
    """Each plain name shows its content, or the push has said that it does not."""
    for path, content in tracked.items():
        if f"'{path}' is not shown" in pushed.err.replace("\n", ""):
            continue
        assert there.get(path) == content, path
