"""Pull requests, as far as commits need them: a reference `refs/pr/N` that starts at a revision."""

import pygit2

from minihub import history


def next_number(git: pygit2.Repository) -> int:
    """The number of the next pull request; the caller holds the repository's lock."""
    taken = [int(ref.name) for ref in history.refs(git, "refs/pr/") if ref.name.isdecimal()]
    return max(taken, default=0) + 1
