"""Which commit last changed each path: the newest whose parents all have something else there."""

from typing import Any

import pygit2

from minihub import history
from minihub.clock import stamp


def last_commits(git: pygit2.Repository, head: pygit2.Commit, paths: list[str]) -> dict[str, dict[str, Any]]:
    """For each path of a revision the commit that last changed it."""
    found: dict[str, dict[str, Any]] = {}
    open_paths = {path: _oid(head.tree, path) for path in paths}
    for commit in history.log(git, head):
        if not open_paths:
            break
        trees = [parent.tree for parent in commit.parents]
        changed = [
            path
            for path, oid in open_paths.items()
            if _oid(commit.tree, path) == oid and all(_oid(tree, path) != oid for tree in trees)
        ]
        for path in changed:
            found[path] = describe(commit)
            del open_paths[path]
    return found


def describe(commit: pygit2.Commit) -> dict[str, Any]:
    """A commit as an entry names it."""
    return {
        "id": str(commit.id),
        "title": history.title_and_body(commit)[0],
        "date": stamp(commit.commit_time),
    }


def _oid(tree: pygit2.Tree, path: str) -> pygit2.Oid | None:
    try:
        return tree[path].id
    except KeyError:
        return None
