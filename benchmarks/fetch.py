"""`beats fetch` beside `hf download`, of one file of 361 MB from a Hub on this machine.

    python benchmarks/fetch.py [--json FILE] [--runs N] [--size BYTES]

The two take turns, each in a new process and into an empty cache. Then a fetch of the file that is there,
with its verification, and the digest alone. Hub and clients share the machine's cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # before they are read

from huggingface_hub import HfApi
from minihub.testing import Hub, serve

SIZE = 361_499_833  # of BEATs_iter3_plus_AS2M.pt
REPO = "alice/beats"
NAME = "noise.pt"


def main() -> None:
    """Measures and prints."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder, "hub")) as hub:
        report = measure(Path(folder), hub, options)
    print_report(report)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--runs", type=int, default=5, help="how often each takes its turn")
    parser.add_argument("--size", type=int, default=SIZE, help="bytes")
    return parser.parse_args()


def measure(folder: Path, hub: Hub, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each, every run."""
    data = folder / NAME
    data.write_bytes(os.urandom(options.size))
    env = publish(hub, folder, data)
    scripts = Path(sysconfig.get_path("scripts"))
    ours = [str(scripts / "beats"), "fetch", "noise"]
    theirs = [str(scripts / "hf"), "download", REPO, NAME, "--repo-type", "dataset"]
    report: dict[str, Any] = {"bytes": options.size, "beats fetch": [], "hf download": [], "again": []}
    for _ in range(options.runs):
        report["beats fetch"].append(timed(ours, env, folder / "ours"))
        report["again"].append(timed(ours, env, folder / "ours", keep=True))
        report["hf download"].append(timed(theirs, env, folder / "theirs"))
    report["digest"] = [digest_time(data, "sha256") for _ in range(options.runs)]
    report["md5"] = [digest_time(data, "md5") for _ in range(options.runs)]
    report["start"] = [timed([ours[0], "--version"], env, folder / "ours") for _ in range(options.runs)]
    return report | judged(report)


def publish(hub: Hub, folder: Path, data: Path) -> dict[str, str]:
    """Puts the file on the Hub; returns the environment of somebody with its pin."""
    token = hub.user("alice")
    api = HfApi(endpoint=hub.endpoint, token=token)
    api.create_repo(REPO, repo_type="dataset")
    info = api.upload_file(path_or_fileobj=data, path_in_repo=NAME, repo_id=REPO, repo_type="dataset")
    sha256 = hashlib.sha256(data.read_bytes()).hexdigest()
    place = f"hf://datasets/{REPO}/{NAME}"
    dep = {"path": place, "etag": sha256, "version_id": info.oid, "size": data.stat().st_size}
    pin = folder / "noise.dvc"
    pin.write_text(json.dumps({"deps": [dep], "outs": [{"path": NAME}]}), encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "BEATS_"))}
    fixed = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    return {**kept, **fixed, "NO_PROXY": "127.0.0.1", "BEATS_PINS": str(pin)}


def timed(command: list[str], env: dict[str, str], home: Path, *, keep: bool = False) -> float:
    """Seconds of a command; the cache is emptied first unless it is kept."""
    if not keep:
        shutil.rmtree(home, ignore_errors=True)
    started = time.perf_counter()
    subprocess.run(command, env=env | {"HF_HOME": str(home)}, check=True, capture_output=True)
    return time.perf_counter() - started


def digest_time(path: Path, algorithm: str) -> float:
    """Seconds that a digest of the file takes."""
    started = time.perf_counter()
    with path.open("rb") as file:
        hashlib.file_digest(file, algorithm).hexdigest()
    return time.perf_counter() - started


def judged(report: dict[str, Any]) -> dict[str, Any]:
    """Medians, and our time over theirs with the digest added; the goal is at most 1.05 of theirs."""
    names = ("beats fetch", "hf download", "again", "digest", "md5", "start")
    medians = {name: statistics.median(report[name]) for name in names}
    allowed = 1.05 * medians["hf download"] + medians["digest"]
    pairs = zip(report["beats fetch"], report["hf download"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    return {"median": medians, "ratio": ratio, "of what is allowed": medians["beats fetch"] / allowed}


def print_report(report: dict[str, Any]) -> None:
    """The table."""
    print(f"{report['bytes']:,} bytes, {len(report['digest'])} runs, python {sys.version.split()[0]}")
    print(f"{'':24}{'median s':>10}{'least':>8}{'most':>8}")
    for name, median in report["median"].items():
        runs = report[name]
        label = {
            "again": "beats fetch, again",
            "digest": "sha256 alone",
            "md5": "md5 alone",
            "start": "beats --version",
        }
        print(f"{label.get(name, name):24}{median:10.2f}{min(runs):8.2f}{max(runs):8.2f}")
    print(f"beats fetch / hf download, pair by pair: {report['ratio']:.2f}")
    print(f"of 1.05 hf download + digest: {report['of what is allowed']:.2f} (goal: at most 1)")


if __name__ == "__main__":
    main()
