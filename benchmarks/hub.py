"""How fast minihub is: against nginx, against `cp` and `sha256sum`, and by itself. One command, one table.

Every ratio is of one run on one machine, both sides taken one after the other on files that are in memory.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pygit2
from minihub.git.history import INITIAL_ATTRIBUTES, Author, named_commit
from minihub.git.trees import TreeEdit
from minihub.names import RepoName
from minihub.state import State

SIZE = 1 << 30  # bytes of the large file
LISTED = 100_000  # files of the large listing
REPEATS = 3
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; events {{ }}
http {{ access_log off; sendfile on; client_body_temp_path {folder}; proxy_temp_path {folder};
fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{port}; root {folder}; }} }}
"""


def seconds(command: list[str]) -> float:
    """The shortest of a few runs: what the machine can do when nothing else disturbs it."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def fetch(url: str) -> list[str]:
    """A download whose bytes are thrown away."""
    return ["curl", "--silent", "--fail", "--noproxy", "*", "--output", os.devnull, url]


class Hub:
    """minihub in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        start = time.perf_counter()
        command = [sys.executable, "-m", "minihub", "serve", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.endpoint = self.process.stdout.readline().removeprefix("minihub: ").strip()
        urllib.request.urlopen(self.endpoint + "/api/models", timeout=30).close()
        self.cold_start_s = time.perf_counter() - start
        self.token = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A small request."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read() or b"null")

    def memory(self) -> int:
        """The most bytes that were ever resident."""
        status = Path(f"/proc/{self.process.pid}/status")
        if status.exists():
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
            return int(line.split()[1]) * 1024
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def upload(hub: Hub, path: Path) -> tuple[float, str]:
    """Send a large file through LFS and commit it; gives the seconds of the transfer, and the sha256."""
    with path.open("rb") as file:
        oid = hashlib.file_digest(file, "sha256").hexdigest()
    asked = {"operation": "upload", "objects": [{"oid": oid, "size": path.stat().st_size}]}
    actions = hub.ask("POST", "/bench/m.git/info/lfs/objects/batch", asked)["objects"][0]["actions"]
    command = [
        "curl",
        "--silent",
        "--fail",
        "--noproxy",
        "*",
        "--upload-file",
        str(path),
        actions["upload"]["href"],
    ]
    start = time.perf_counter()
    subprocess.run([*command, "--output", os.devnull], check=True)
    took = time.perf_counter() - start
    lines = [
        {"key": "header", "value": {"summary": "large"}},
        {"key": "lfsFile", "value": {"path": "large.bin", "oid": oid, "size": path.stat().st_size}},
    ]
    hub.ask("POST", "/api/models/bench/m/commit/main", "\n".join(map(json.dumps, lines)).encode())
    return took, oid


def copy_and_hash(source: Path, folder: Path) -> float:
    """What an upload cannot do without: the bytes written durably, and their sha256."""
    target = folder / "copy.bin"
    start = time.perf_counter()
    subprocess.run(["cp", str(source), str(target)], check=True)
    subprocess.run(["sha256sum", str(target)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", str(target)], check=True)
    took = time.perf_counter() - start
    target.unlink()
    return took


def nginx_seconds(folder: Path, name: str, port: int = 18399) -> float | None:
    """The same download from nginx; None where it is not installed."""
    if shutil.which("nginx") is None:
        return None
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        time.sleep(0.5)
        return seconds(fetch(f"http://127.0.0.1:{port}/{name}"))
    finally:
        process.terminate()
        process.wait()


def fill(folder: Path) -> None:
    """A repository with very many files, made under the Hub."""
    state = State(folder)
    author = Author("bench", "bench@example.org")
    repo = state.repos.create(RepoName("model", "bench", "many"), private=False, author=author)
    git = pygit2.Repository(str(repo.folder))
    pygit2.option(pygit2.enums.Option.ENABLE_FSYNC_GITDIR, False)
    head = git[named_commit(git, "refs/heads/main")]
    edit, blob = TreeEdit(git, head.tree), git.create_blob(INITIAL_ATTRIBUTES.encode())
    for number in range(LISTED):
        edit.put(f"{number % 256:02x}/{number:06}.txt", blob)
    sign = author.signature()
    git.create_commit("refs/heads/main", sign, sign, "many", edit.write(), [head.id])
    git.free()
    state.close()


def listing_seconds(hub: Hub) -> list[float]:
    """Every page of the large listing."""
    url, times = hub.endpoint + "/api/models/bench/many/tree/main?recursive=true", []
    while url:
        start = time.perf_counter()
        with urllib.request.urlopen(url, timeout=60) as response:
            response.read()
            link = response.headers.get("Link", "")
        times.append(time.perf_counter() - start)
        url = link.partition("<")[2].partition(">")[0]
    return times


def measure(folder: Path, size: int) -> dict[str, float]:
    """All figures."""
    large = folder / "large.bin"
    with large.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    state = State(folder / "hub")
    state.accounts.add_user("bench")
    token = state.accounts.add_token("bench")
    state.close()
    fill(folder / "hub")
    hub = Hub(folder / "hub")
    hub.token = token
    try:
        hub.ask("POST", "/api/repos/create", {"name": "m"})
        plain_s = copy_and_hash(large, folder)
        up_s, _ = upload(hub, large)
        down_s = seconds(fetch(hub.endpoint + "/bench/m/resolve/main/large.bin"))
        memory = hub.memory()
        pages = listing_seconds(hub)
    finally:
        hub.stop()
    nginx_s = nginx_seconds(folder, "large.bin")
    return {
        "cold start [s]": hub.cold_start_s,
        "upload [MB/s]": size / up_s / 1e6,
        "upload against cp + sha256sum + sync [ratio]": plain_s / up_s,
        "download [MB/s]": size / down_s / 1e6,
        **({"download against nginx [ratio]": nginx_s / down_s} if nginx_s else {}),
        "resident memory at most [MB]": memory / 1e6,
        "pages of the listing": len(pages),
        "page of 1000 of 100,000, median [ms]": statistics.median(pages) * 1e3,
        "page of 1000 of 100,000, slowest [ms]": max(pages) * 1e3,
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--megabytes", type=int, default=SIZE >> 20, help="of the large file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(Path(temporary), given.megabytes << 20)
    for name, value in figures.items():
        print(f"{name:48}{value:12.2f}")
    if shutil.which("nginx") is None:
        print("nginx is not installed: no ratio of downloads")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
