"""Options of a remote that exclude one another."""

from collections.abc import Mapping
from typing import Any

from dvc_objects.fs.errors import ConfigError


def refuse_what_cannot_be(options: Mapping[str, Any], *, is_versioned: bool) -> None:
    """Stop at options that exclude one another.

    Raises:
        ConfigError: it says which, and what to do.
    """
    if is_versioned and options.get("repo_type") == "bucket":
        message = (
            "a bucket cannot be version_aware or a worktree: it keeps no versions. Remove the option "
            "('dvc remote modify --unset NAME version_aware', or worktree; leave out --version-aware), "
            "or use a repository: hf://datasets/OWNER/NAME."
        )
        raise ConfigError(message)
    if options.get("publish") and is_versioned:
        message = (
            "'publish' shows plain names beside DVC's objects; a version_aware or worktree remote has "
            "plain names already. Remove one of them: 'dvc remote modify --unset NAME publish'."
        )
        raise ConfigError(message)
    if options.get("prune") and not options.get("worktree"):
        message = "'prune' deletes what left a worktree: it needs 'dvc remote modify NAME worktree true'."
        raise ConfigError(message)
