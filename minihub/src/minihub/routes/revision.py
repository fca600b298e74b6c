"""The revision that a request names."""

import pygit2

from minihub.call import Call
from minihub.git import history


def revision_of(call: Call, git: pygit2.Repository) -> pygit2.Commit:
    """The commit of the revision in the path, or of `main`."""
    return history.resolve(git, call.request.path_params.get("rev", "main"))
