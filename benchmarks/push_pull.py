"""Pushing and pulling with dvc-hf beside the Hub's own tools, HfFileSystem and dvc-s3, all on this machine.

Every contestant is a process of its own, started as a user starts it; its start is part of its time. minihub
serves the Hub. dvc-s3 and its server need interpreters of their own, because their dependencies are not ours:
`--s3-client` with `dvc[s3]`, `--s3-server` with `moto[server]`. `--json FILE` writes the table.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi
from minihub.testing import Hub, serve

NAIVE = """
import sys, pathlib
from huggingface_hub import HfFileSystem
fs, folder, repo = HfFileSystem(), pathlib.Path(sys.argv[1]), sys.argv[2]
for path in sorted(folder.iterdir()):
    fs.put_file(str(path), f"datasets/{repo}/{path.name}")
"""
SNAPSHOT = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], repo_type="dataset", local_dir=sys.argv[2], token=False)
"""
BUCKET = """
import sys, botocore.session
session = botocore.session.get_session()
session.create_client("s3", endpoint_url=sys.argv[1]).create_bucket(Bucket=sys.argv[2])
"""


@dataclass
class Bench:
    """Servers, an environment for clients, and what was measured."""

    folder: Path
    hub: Hub
    env: dict[str, str]
    repeat: int
    s3_python: Path | None = None
    s3_endpoint: str = ""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    made: int = 0

    def new(self, name: str) -> Path:
        """A fresh folder."""
        self.made += 1
        path = self.folder / f"{self.made}-{name}"
        path.mkdir()
        return path

    def new_repo(self) -> str:
        """A fresh repository."""
        self.made += 1
        repo = f"alice/bench-{self.made}"
        HfApi(endpoint=self.hub.endpoint, token=self.env["HF_TOKEN"]).create_repo(repo, repo_type="dataset")
        return repo

    def run(self, *command: str | Path, cwd: Path | None = None) -> float:
        """Run a command to its end; the seconds it took."""
        started = time.perf_counter()
        done = subprocess.run(command, cwd=cwd, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{command} failed:\n{done.stdout}{done.stderr}")
        return time.perf_counter() - started

    def note(self, name: str, seconds: float) -> None:
        """Keep a time."""
        self.seconds.setdefault(name, []).append(seconds)
        print(f"  {name:44} {seconds:8.2f} s", flush=True)

    def best(self, name: str) -> float | None:
        """The median of a contestant's times."""
        return statistics.median(self.seconds[name]) if name in self.seconds else None


def dvc_project(bench: Bench, python: Path, data: Path, **options: str) -> Path:
    """A project that tracks a copy of the data, with a remote."""
    project = bench.new("project")
    bench.run("git", "init", "--quiet", cwd=project)
    bench.run(python, "-m", "dvc", "init", "--quiet", cwd=project)
    lines = "".join(f"    {name} = {value}\n" for name, value in options.items())
    (project / ".dvc/config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n{lines}")
    bench.run("cp", "-r", data, project / "data")
    bench.run(python, "-m", "dvc", "add", "--quiet", "data", cwd=project)
    bench.run("git", "add", ".", cwd=project)
    bench.run("git", "commit", "--quiet", "-m", "data", cwd=project)
    return project


def dvc_push_and_pull(bench: Bench, name: str, python: Path, data: Path, **options: str) -> None:
    """Push from one project, pull into a clone of it."""
    project = dvc_project(bench, python, data, **options)
    bench.note(f"push {name}", bench.run(python, "-m", "dvc", "push", cwd=project))
    clone = bench.new("clone")
    bench.run("git", "clone", "--quiet", project, clone)
    bench.env["DVC_SITE_CACHE_DIR"] = str(bench.new("site"))
    bench.note(f"pull {name}", bench.run(python, "-m", "dvc", "pull", cwd=clone))


def hub_tools(bench: Bench, tree: str, data: Path) -> None:
    """The Hub's own commands with the same tree."""
    hf = Path(sys.executable).with_name("hf")
    repo = bench.new_repo()
    bench.note(
        f"push {tree}: hf upload", bench.run(hf, "upload", repo, data, "--repo-type", "dataset", "--quiet")
    )
    target = bench.new("snapshot")
    bench.note(f"pull {tree}: snapshot_download", bench.run(sys.executable, "-c", SNAPSHOT, repo, target))


def s3_remote(bench: Bench, tree: str, data: Path) -> None:
    """dvc-s3 with the same tree."""
    if bench.s3_python is None:
        return
    bucket = f"bench{bench.made}"
    bench.run(bench.s3_python, "-c", BUCKET, bench.s3_endpoint, bucket)
    options = {"url": f"s3://{bucket}/x", "endpointurl": bench.s3_endpoint}
    dvc_push_and_pull(bench, f"{tree}: dvc-s3", bench.s3_python, data, **options)


def compare(bench: Bench, tree: str, data: Path, *, naive: bool) -> None:
    """All contestants with one tree, in turns."""
    for _ in range(bench.repeat):
        url = f"hf://datasets/{bench.new_repo()}"
        dvc_push_and_pull(bench, f"{tree}: dvc-hf", Path(sys.executable), data, url=url)
        hub_tools(bench, tree, data)
        s3_remote(bench, tree, data)
    if naive:
        seconds = bench.run(sys.executable, "-c", NAIVE, data, bench.new_repo())
        bench.note(f"push {tree}: HfFileSystem, one by one", seconds)


def fine_tuned(bench: Bench, data: Path) -> float:
    """Push a checkpoint, then a copy with its last tenth changed; the part of its bytes that was sent."""
    url = f"hf://datasets/{bench.new_repo()}"
    project = dvc_project(bench, Path(sys.executable), data, url=url)
    bench.run(sys.executable, "-m", "dvc", "push", cwd=project)
    (original,) = (project / "data").iterdir()
    content = bytearray(original.read_bytes())
    changed = len(content) * 8 // 100  # the last of 12 layers and the head, of BEATs' base architecture
    content[-changed:] = random.Random(7).randbytes(changed)
    original.unlink()
    original.with_name("tuned.pt").write_bytes(content)
    bench.run(sys.executable, "-m", "dvc", "add", "--quiet", "data", cwd=project)
    bench.hub.requests.clear()
    bench.run(sys.executable, "-m", "dvc", "push", cwd=project)
    return sum(record.received for record in bench.hub.requests) / len(content)


def ratios(bench: Bench) -> dict[str, float]:
    """dvc-hf's time over each other's; below 1 it is faster."""
    found = {}
    for name in bench.seconds:
        action, _, contestant = name.partition(": ")
        ours, theirs = bench.best(f"{action}: dvc-hf"), bench.best(name)
        if contestant != "dvc-hf" and ours and theirs:
            found[f"{action}: dvc-hf / {contestant}"] = round(ours / theirs, 3)
    return found


def make_trees(folder: Path, size_mb: int, files: int) -> tuple[Path, Path]:
    """One large file, and many small ones; nothing in them can be compressed."""
    noise = random.Random(1)
    one, many = folder / "one", folder / "many"
    one.mkdir()
    many.mkdir()
    with (one / "checkpoint.pt").open("wb") as file:
        for _ in range(size_mb):
            file.write(noise.randbytes(1_000_000))
    for number in range(files):
        (many / f"{number:05}.bin").write_bytes(noise.randbytes(10_000))
    return one, many


@contextmanager
def s3_server(python: Path | None) -> Iterator[str]:
    """The server of moto, if there is an interpreter for it."""
    if python is None:
        yield ""
        return
    command = [python, "-m", "moto.server", "-p", "5055"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = "http://127.0.0.1:5055"
    try:
        wait_for(lambda: urllib.request.urlopen(endpoint, timeout=1).close())
        yield endpoint
    finally:
        server.terminate()
        server.wait()


def wait_for(ask: Callable[[], object]) -> None:
    """Ask until there is an answer."""
    for _ in range(100):
        try:
            ask()
        except OSError:
            time.sleep(0.2)
        else:
            return


def environment(folder: Path, hub: Hub) -> dict[str, str]:
    """Alice's environment, apart from the user's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "HF_HOME": str(folder / "hf"),
        "HF_ENDPOINT": hub.endpoint,
        "HF_TOKEN": hub.user("alice"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "AWS_ACCESS_KEY_ID": "alice",
        "AWS_SECRET_ACCESS_KEY": "alice",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
        **{f"GIT_{role}_{key}": "alice" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mb", type=int, default=361)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-naive", action="store_true", help="leave HfFileSystem out: it takes minutes")
    parser.add_argument("--s3-client", type=Path, help="an interpreter with dvc[s3]")
    parser.add_argument("--s3-server", type=Path, help="an interpreter with moto[server]")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder, "hub")) as hub,
        s3_server(options.s3_server) as s3,
    ):
        home = Path(folder, "home")
        home.mkdir()
        bench = Bench(home, hub, environment(home, hub), options.repeat, options.s3_client, s3)
        one, many = make_trees(home, options.size_mb, options.files)
        compare(bench, f"1 x {options.size_mb} MB", one, naive=False)
        compare(bench, f"{options.files} x 10 kB", many, naive=not options.no_naive)
        result = {
            "ratios": ratios(bench),
            "fine-tuned copy, part of its bytes sent": round(fine_tuned(bench, one), 4),
        }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps({**result, "seconds": bench.seconds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
