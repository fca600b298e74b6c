"""A Hub in a process of its own that tells what it was asked for.

    python hub.py FOLDER

prints its address and a token as JSON, and for each line on its input the log since the last one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minihub.testing import serve
from minihub.web.faults import Record

OWNER = "alice"


@dataclass(frozen=True)
class Log:
    """What a Hub was asked for."""

    requests: int
    commits: int
    received: int  # bytes of the requests' bodies
    answered: int  # bytes of the answers' bodies
    content: int  # bytes received as content: Xet's xorbs and shards, LFS' objects, commits
    kinds: dict[str, int]


class Hub:
    """The process, from the outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        facts = json.loads(self._answer())
        self.endpoint: str = facts["endpoint"]
        self.token: str = facts["token"]

    def log(self) -> Log:
        """The requests since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write("log\n")
        self._process.stdin.flush()
        return Log(**json.loads(self._answer()))

    def env(self, home: Path) -> dict[str, str]:
        """What a client needs to reach it, with caches in `home`."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_TOKEN": self.token,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        }

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def hub_process(folder: Path) -> Iterator[Hub]:
    """Serve while the context lasts."""
    with subprocess.Popen(
        [sys.executable, __file__, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Hub(process)
        process.communicate("")


def _kind(record: Record) -> str:
    kinds = (
        "paths-info",
        "preupload",
        "commit",
        "tree",
        "resolve",
        "lfs",
        "xet-",
        "xorbs",
        "shards",
        "chunks",
    )
    return next((kind for kind in kinds if kind in record.path), record.path)


def _summary(records: list[Record]) -> dict[str, Any]:
    kinds = Counter(map(_kind, records))
    content = [r for r in records if _kind(r) in ("xorbs", "shards", "commit") or r.method == "PUT"]
    return {
        "requests": len(records),
        "commits": sum(r.method == "POST" and "/commit/" in r.path and r.status == 200 for r in records),
        "received": sum(r.received for r in records),
        "answered": sum(r.sent for r in records),
        "content": sum(r.received for r in content),
        "kinds": dict(kinds.most_common()),
    }


def main() -> None:
    """Serve until the input ends."""
    with serve(Path(sys.argv[1])) as hub:
        print(json.dumps({"endpoint": hub.endpoint, "token": hub.user(OWNER)}), flush=True)
        for _ in sys.stdin:
            summary = _summary(list(hub.requests))
            hub.requests.clear()
            print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
