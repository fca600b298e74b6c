"""Somebody on a Hub, with repositories that are made for one run and go with it."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

MOST_COMMITS = 60
SETTLE_S = 3.0


@dataclass
class Account:
    """Somebody on a Hub, and the repositories that were made for this run."""

    api: HfApi
    token: str
    namespace: str
    endpoint: str
    made: list[tuple[str, str]] = field(default_factory=list)

    def make(self, kind: str = "dataset") -> str:
        """A private repository or bucket with a name that nobody else has."""
        name = f"{self.namespace}/preflight-{secrets.token_hex(6)}"
        self.made.append((kind, name))  # before: what is made half goes too
        if kind == "bucket":
            self.api.create_bucket(name, private=True)
        else:
            self.api.create_repo(name, repo_type=kind, private=True)
        return name

    def commits(self, name: str) -> list[str]:
        """The titles of its commits, the newest first."""
        self.settle()
        return [commit.title for commit in self.api.list_repo_commits(name, repo_type="dataset")]

    def settle(self) -> None:
        """Wait until a branch is read as it is: for 1 to 2 s after a commit it may be read as it was."""
        time.sleep(SETTLE_S)

    def files(self, name: str) -> set[str]:
        """What `main` shows."""
        self.settle()
        return set(self.api.list_repo_files(name, repo_type="dataset"))

    def clear(self) -> list[str]:
        """Delete all of them; those that would not go come back."""
        left = []
        for kind, name in self.made:
            try:
                if kind == "bucket":
                    self.api.delete_bucket(name, missing_ok=True)
                else:
                    self.api.delete_repo(name, repo_type=kind, missing_ok=True)
            except (HfHubHTTPError, OSError) as error:
                left.append(f"{kind} {name}: {error}")
        return left


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What a recording holds so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
