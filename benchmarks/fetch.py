"""`beats fetch` beside `hf download`, of a file of 361 MB from a Hub on this machine.

    python benchmarks/fetch.py [--json FILE] [--runs N] [--size BYTES]

Each run is a new process with an empty cache; the two take turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOREIGN = ("HF_", "BEATS_", "HUGGING")
PIN = """deps:
- path: hf://datasets/alice/beats/big.pt
  etag: {sha256}
  version_id: {commit}
  size: {size}
outs:
- path: big.pt
"""


def main() -> None:
    """Measure, print one table, write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", type=int, default=361_499_833)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, hub(Path(folder) / "hub") as (endpoint, token):
        report = measure(Path(folder), endpoint, token, options.runs, options.size)
    for name, value in report.items():
        print(f"{name:44} {value}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


@contextmanager
def hub(folder: Path) -> Iterator[tuple[str, str]]:
    """A Hub in a process of its own, and a token that may write."""
    minihub = [sys.executable, "-m", "minihub"]
    subprocess.run([*minihub, "user", "add", "alice", "--dir", str(folder)], check=True, capture_output=True)
    made = [*minihub, "token", "alice", "--role", "write", "--dir", str(folder)]
    token = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]
    serve = [*minihub, "serve", str(folder), "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1], token
        finally:
            server.send_signal(signal.SIGTERM)


def measure(folder: Path, endpoint: str, token: str, runs: int, size: int) -> dict[str, float | int]:
    """Seconds of each command, the median of its runs."""
    source = folder / "big.pt"
    source.write_bytes(os.urandom(size))
    commit = upload(source, endpoint, token)
    began = time.perf_counter()
    with source.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    digest_s = time.perf_counter() - began
    (folder / "big.dvc").write_text(PIN.format(sha256=sha256, commit=commit, size=size))
    theirs, ours, again = [], [], []
    for _ in range(runs):
        home = folder / "home"
        env = environment(home, endpoint, folder / "big.dvc")
        repository = ["alice/beats", "big.pt", "--repo-type", "dataset", "--revision", commit]
        theirs.append(seconds(["hf", "download", *repository], env, home))
        ours.append(seconds(["beats", "fetch", "big"], env, home))
        again.append(seconds(["beats", "fetch", "big"], env))
    hf, fetch = statistics.median(theirs), statistics.median(ours)
    return {
        "bytes": size,
        "hf download (s)": round(hf, 3),
        "beats fetch, verified (s)": round(fetch, 3),
        "sha256 of the file alone (s)": round(digest_s, 3),
        "beats fetch / (1.05 hf download + sha256)": round(fetch / (1.05 * hf + digest_s), 3),
        "beats fetch again, verified (s)": round(statistics.median(again), 3),
    }


def upload(source: Path, endpoint: str, token: str) -> str:
    """Publishes the file and returns the commit."""
    code = (
        "import sys; from huggingface_hub import HfApi; api = HfApi(endpoint=sys.argv[1], token=sys.argv[2]);"
        "api.create_repo('alice/beats', repo_type='dataset');"
        "print(api.upload_file(path_or_fileobj=sys.argv[3], path_in_repo='big.pt', repo_id='alice/beats',"
        " repo_type='dataset').oid)"
    )
    env = environment(source.parent / "uploader", endpoint, source)
    command = [sys.executable, "-c", code, endpoint, token, str(source)]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.split()[-1]


def environment(home: Path, endpoint: str, pin: Path) -> dict[str, str]:
    """Nothing of the user's own; plain HTTP for both."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return inherited | {
        "HF_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
        "BEATS_PINS": str(pin),
    }


def seconds(command: list[str], env: dict[str, str], emptied: Path | None = None) -> float:
    """How long a command takes; the cache is emptied before."""
    if emptied is not None:
        shutil.rmtree(emptied, ignore_errors=True)
    program = Path(sys.executable).with_name(command[0])
    began = time.perf_counter()
    subprocess.run([str(program), *command[1:]], env=env, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
