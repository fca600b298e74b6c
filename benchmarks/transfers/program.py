"""Runs a program and says how long it took and how much memory it had."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG")


@dataclass(frozen=True)
class Taken:
    """What one run took."""

    seconds: float
    processor_s: float
    peak_mb: float  # resident, of the process alone
    output: str = ""


def run(command: Sequence[str | Path], folder: Path, env: dict[str, str]) -> Taken:
    """Run to the end; a failure shows what the program wrote."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT)
        used, peak = _wait(process)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read().decode(errors="replace")[-4000:]
        if process.wait():
            message = f"{' '.join(map(str, command))} ended with {process.returncode}:\n{text}"
            raise RuntimeError(message)
    return Taken(seconds, used, peak, text)


def _wait(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    if not hasattr(os, "wait4"):
        process.wait()
        return 0.0, 0.0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6


def bare_env(home: Path) -> dict[str, str]:
    """An environment in which nothing of the user's own is read or written."""
    who = {"NAME": "Alice", "EMAIL": "alice@example.org"}
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()},
        "HOME": str(home),
        "USERPROFILE": str(home),
        "NO_PROXY": "127.0.0.1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "site"),
    }
