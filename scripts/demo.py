"""The whole path on one machine, for real: publish with DVC, fetch and verify, embed, learn to hear calls.

A maintainer puts two checkpoints on a Hub with DVC; a user who has no DVC clones the repository, gets exactly
those bytes and embeds the recordings of this repository with them; another learns made calls and finds them.
The Hub is minihub, started here. The checkpoints have the true BEATs architecture and *untrained* weights: it
all shows that the path works and means nothing else.
"""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from made_calls import write_all

ROOT = Path(__file__).resolve().parents[1]
RECORDINGS = ROOT / "recordings"
OUT = ROOT / "build" / "demo"
REPO = "ninanor/beats-checkpoints"
CHECKPOINTS = ("BEATs_iter3_plus_AS2M.pt", "openbeats.pt")
QUERY = "tabla_ghe5.flac"

# What the second user types, in a Python where `import dvc` fails.
SECOND_USER = f"""
import sys
sys.modules["dvc"] = sys.modules["dvc_hf"] = None
from beats_trainer import BEATsFeatureExtractor
extractor = BEATsFeatureExtractor()
print(extractor.extract_from_file({str(RECORDINGS / QUERY)!r}).shape)
"""


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal: a folder to work in and an environment of their own."""

    name: str
    folder: Path
    env: dict[str, str]

    def types(self, *command: str, show: str | None = None) -> str:
        """Run a command as this person, shown as it is typed; its output comes back and is shown too."""
        print(f"  {self.name} $ {show or shlex.join(command)}", flush=True)
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True)
        for line in (done.stdout + (done.stderr if done.returncode else "")).splitlines():
            print(f"      {line}", flush=True)
        if done.returncode:
            msg = f"demo: `{show or shlex.join(command)}` ended with exit status {done.returncode}"
            raise SystemExit(msg)
        return done.stdout


def person(name: str, stage: Path, folder: Path, **extra: str) -> Person:
    """Somebody with an empty home: no cache, no DVC settings, no variables of the Hub."""
    home = stage / f"home-{name}"
    home.mkdir()
    folder.mkdir(exist_ok=True)
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("HF_", "DVC_", "BEATS_", "GIT_", "XDG_"))
    }
    own = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), inherited.get("PATH", "")]),
        "NO_PROXY": "127.0.0.1,localhost",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DVC_NO_ANALYTICS": "1",
        "CI": "1",  # DVC would otherwise leave a process behind that looks for a newer DVC
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": f"{name}@example.org",
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": f"{name}@example.org",
    }
    return Person(name, folder, inherited | own | extra)


@contextmanager
def serving(admin: Person) -> Iterator[str]:
    """Run `minihub serve` for as long as the block lasts; yields its address."""
    command = ["minihub", "serve", str(admin.folder), "--port", "0"]
    server = subprocess.Popen(
        command, env=admin.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            msg = "demo: minihub did not start; see why with: minihub serve build/hub"
            raise SystemExit(msg)
        yield line.split()[-1]
    finally:
        server.terminate()
        server.wait(timeout=10)
        if server.stdout:
            server.stdout.close()


def step(text: str) -> None:
    """Head a part of the story."""
    print(f"\n{text}", flush=True)


def create_repo(endpoint: str, token: str) -> None:
    """What the recipe does in the browser: make the dataset repository."""
    from huggingface_hub import HfApi

    HfApi(endpoint=endpoint, token=token).create_repo(REPO, repo_type="dataset")


def write_checkpoints(folder: Path) -> None:
    """Two files in Microsoft's format, of the true architecture, with seeded random weights."""
    from beats_trainer.checkpoint.untrained import write_untrained

    folder.mkdir()
    for seed, name in enumerate(CHECKPOINTS):
        write_untrained(folder / name, seed=seed)
        print(f"  {name}: {(folder / name).stat().st_size:,} bytes, untrained")


def publish(maintainer: Person, endpoint: str, origin: Path) -> None:
    """The recipe, word for word; the second push shows that nothing is sent twice."""
    maintainer.types("git", "init", "--quiet", "--initial-branch", "main")
    maintainer.types("git", "remote", "add", "origin", str(origin), show="git remote add origin ORIGIN")
    maintainer.types("beats", "card", "checkpoints/")
    maintainer.types(
        "bash", str(ROOT / "scripts" / "setup_dvc.sh"), f"datasets/{REPO}", endpoint,
        show=f"./scripts/setup_dvc.sh datasets/{REPO} {endpoint}",
    )  # fmt: skip
    maintainer.types("dvc", "add", "--quiet", "checkpoints/")
    maintainer.types("git", "add", "checkpoints.dvc", ".gitignore", ".dvc")
    maintainer.types("git", "commit", "--quiet", "-m", "Add BEATs checkpoints to DVC tracking")
    maintainer.types("dvc", "push")
    maintainer.types("dvc", "push")
    maintainer.types("git", "push", "--quiet", "origin", "main")


def show_hub(endpoint: str, token: str) -> None:
    """The history and the files of the repository, as the Hub lists them."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint, token=token)
    for commit in api.list_repo_commits(REPO, repo_type="dataset"):
        print(f"  commit {commit.commit_id[:10]}  {commit.title}")
    for entry in api.list_repo_tree(REPO, repo_type="dataset", recursive=True):
        if hasattr(entry, "size"):
            print(f"  {entry.size:>12,}  {entry.path}")


def neighbours(table: Path, query: str, count: int = 3) -> list[tuple[str, float]]:
    """The recordings whose embeddings lie nearest to that of `query`, with their centred cosine."""
    rows = pq.read_table(table)
    names = [Path(name).name for name in rows["recording"].to_pylist()]
    embeddings = np.stack(rows["embedding"].to_pylist())
    centred = embeddings - embeddings.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosine = unit @ unit[names.index(query)]
    order = [i for i in np.argsort(-cosine) if names[i] != query]
    return [(names[i], float(cosine[i])) for i in order[:count]]


def use(user: Person, origin: Path, table: Path) -> None:
    """What somebody does who only wants embeddings."""
    user.types("git", "clone", "--quiet", str(origin), "clone", show="git clone ORIGIN clone")
    user.types(
        sys.executable, "-c", SECOND_USER, show="python  # BEATsFeatureExtractor().extract_from_file(...)"
    )
    user.types(
        "beats",
        "embed",
        str(RECORDINGS),
        "-o",
        str(table),
        show="beats embed recordings/ -o embeddings.parquet",
    )


def demo(stage: Path) -> None:
    """Everything, in order. The Hub, the people and their files live and end in `stage`."""
    admin = person("admin", stage, stage / "hub")
    origin = stage / "origin.git"
    table = OUT / "embeddings.parquet"
    OUT.mkdir(parents=True, exist_ok=True)
    table.unlink(missing_ok=True)
    with serving(admin) as endpoint:
        step(f"1. A Hub on this machine: {endpoint}")
        admin.types(
            "minihub", "user", "add", "ninanor", "--dir", str(admin.folder), show="minihub user add ninanor"
        )
        token = token_of("ninanor", admin)
        create_repo(endpoint, token)

        step("2. The maintainer has two checkpoints (true architecture, untrained weights)")
        maintainer = person("maintainer", stage, stage / "project", HF_TOKEN=token)
        write_checkpoints(maintainer.folder / "checkpoints")

        step("3. ... and publishes them with DVC")
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(origin)], check=True
        )
        publish(maintainer, endpoint, origin)

        step(f"4. The Hub now shows, at {endpoint}/datasets/{REPO}")
        show_hub(endpoint, token)

        step("5. A user with an empty cache and no DVC clones, fetches, verifies and embeds")
        pins = {"BEATS_PINS": "clone/checkpoints.dvc"}
        use(person("user", stage, stage / "elsewhere", **pins), origin, table)

    step(f"6. {table.relative_to(ROOT)}: {pq.read_metadata(table).num_rows} clips. Nearest to {QUERY}:")
    for name, cosine in neighbours(table, QUERY):
        print(f"  {cosine:6.3f}  {name}")
    print("  (untrained weights: the path is real, the neighbours mean nothing)")

    step("7. The user learns made calls from labelled clips, and finds them in two minutes of noise")
    learn(person("listener", stage, stage / "listener"), stage / "project" / "checkpoints" / CHECKPOINTS[0])


def learn(user: Person, model: Path) -> None:
    """Labels, a split, a head, its figures, and calls in a recording of which the times are known."""
    write_all(user.folder)
    user.types("beats", "labels", "calls", "-o", "labels.parquet")
    user.types("beats", "split", "labels.parquet", "-o", "split.csv")
    user.types(
        "beats", "train", "labels.parquet", "--split", "split.csv", "-o", "runs/calls", "--model", str(model),
        "--clip-s", "1", show="beats train labels.parquet --split split.csv -o runs/calls --clip-s 1",
    )  # fmt: skip
    user.types(
        "beats", "classify", "day.wav", "--model", "runs/calls", "--encoder", str(model), "--events", "-o",
        "found.csv", show="beats classify day.wav --model runs/calls --events -o found.csv",
    )  # fmt: skip
    print(f"  {compared(user.folder / 'day.csv', user.folder / 'found.csv')}")
    print("  (untrained weights: that calls are found shows that the machinery works, and no more)")


def compared(truth: Path, found: Path) -> str:
    """How many of the calls were found at their times, and how many of the events are calls."""
    there, heard = (list(csv.DictReader(path.open(encoding="utf-8", newline=""))) for path in (truth, found))
    hits = sum(any(_meets(one, event) for event in heard) for one in there)
    right = sum(any(_meets(one, event) for one in there) for event in heard)
    return f"{hits} of {len(there)} calls found at their times; {right} of {len(heard)} events are calls"


def _meets(call: dict[str, str], event: dict[str, str]) -> bool:
    """Whether an event is of the call's label and touches it."""
    ends = float(event["start_s"]) < float(call["end_s"]) and float(event["end_s"]) > float(call["start_s"])
    return event["label"] == call["label"] and ends


def token_of(name: str, admin: Person) -> str:
    """A write token, read from minihub's output and shown to nobody."""
    command = ["minihub", "token", name, "--role", "write", "--dir", str(admin.folder)]
    return subprocess.run(command, env=admin.env, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="beats-demo-") as folder:
        demo(Path(folder))
    print(f"\nDone in {time.monotonic() - started:.0f} s; nothing is left running.")
