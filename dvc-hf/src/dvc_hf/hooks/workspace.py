"""Where a checkout writes: no link that came with the repository leads it out of the workspace."""

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dvc_hf.hub import names
from dvc_hf.hub.errors import RejectedError

Original = Callable[..., Any]
Key = tuple[str, ...]
NOT_TRACKED = 1  # git's answer; any other that is no yes is no answer


def apply(original: Original, diff: Any, path: str, fs: Any, *args: Any, **kwargs: Any) -> Any:
    """Write and delete files of a folder, unless a link in it leads elsewhere."""
    if getattr(fs, "protocol", None) == "local":
        changed = [entry.key for entry in (*diff.files_create, *diff.files_delete) if entry.key]
        for link in _links_out(Path(path), changed):
            message = (
                f"cannot check out files below {names.quoted(str(link))}: it is a link of the git repository "
                f"that leads out of the workspace, to {names.quoted(os.path.realpath(link))}. Nothing was "
                "written or removed: take the link out of git, then run this again."
            )
            raise RejectedError(message)
    return original(diff, path, fs, *args, **kwargs)


def _links_out(root: Path, keys: Iterable[Key]) -> Iterator[Path]:
    """The folders above these files that are links of git's to the outside; a user's own link is obeyed."""
    inside = os.path.join(os.path.realpath(root), "")  # noqa: PTH118 - with a separator at the end
    for folder in sorted({key[:depth] for key in keys for depth in range(1, len(key))}):
        link = root.joinpath(*folder)
        if link.is_symlink() and not os.path.realpath(link).startswith(inside) and _is_of_git(root, link):
            yield link


def _is_of_git(root: Path, link: Path) -> bool:
    command = ["git", "ls-files", "--error-unmatch", "--", str(link.relative_to(root))]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    return done.returncode != NOT_TRACKED
