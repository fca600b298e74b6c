"""Kills a Hub again and again while clients upload, and looks whether it kept what it promised."""

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from minihub.state import State
from minihub.upkeep.fsck import check_hub

ROUNDS_PER_FOLDER = 20
CLIENTS = 3


class Client:
    """Uploads and commits without pause, and remembers what was acknowledged."""

    def __init__(self, endpoint: str, token: str, number: int) -> None:
        self.endpoint, self.token, self.number = endpoint, token, number
        self.acknowledged: dict[str, str] = {}  # path -> sha256
        self.failures: list[str] = []  # answers that say the Hub itself failed

    def run(self) -> None:
        """Until the Hub is gone."""
        count = 0
        while True:
            count += 1
            path, content = f"c{self.number}/{time.time_ns()}-{count}.bin", os.urandom(200_000 + count)
            try:
                self.upload(path, content)
            except urllib.error.HTTPError as error:
                self.failures.append(f"{path} was answered with {error.code}")
                error.close()
                return
            except (OSError, ValueError, http.client.HTTPException):
                return
            self.acknowledged[path] = hashlib.sha256(content).hexdigest()

    def upload(self, path: str, content: bytes) -> None:
        """A large file through LFS and a small one beside it, in one commit."""
        oid = hashlib.sha256(content).hexdigest()
        asked = {
            "operation": "upload",
            "transfers": ["basic"],
            "objects": [{"oid": oid, "size": len(content)}],
        }
        answer = json.loads(
            self.send("POST", "/alice/m.git/info/lfs/objects/batch", json.dumps(asked).encode())
        )
        actions = answer["objects"][0].get("actions")
        if actions:
            self.send("PUT", actions["upload"]["href"].removeprefix(self.endpoint), content)
        small = base64.b64encode(oid.encode()).decode()
        lines = [
            {"key": "header", "value": {"summary": path}},
            {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": len(content)}},
            {"key": "file", "value": {"path": path + ".txt", "content": small, "encoding": "base64"}},
        ]
        self.send("POST", "/api/models/alice/m/commit/main", "\n".join(map(json.dumps, lines)).encode())

    def send(self, method: str, path: str, body: bytes) -> bytes:
        """One request."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.endpoint + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            content: bytes = response.read()
        return content


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A Hub in a process of its own."""
    command = [sys.executable, "-m", "minihub", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().removeprefix("minihub: ").strip()


def await_commit(clients: list[Client], most_s: float = 60) -> None:
    """Until a commit was acknowledged: where the machine is slow, no pause is long enough for one."""
    end = time.monotonic() + most_s
    while time.monotonic() < end and not any(client.acknowledged for client in clients):
        time.sleep(0.01)


def one_round(folder: Path, token: str, pause_s: float, *, awaits: bool) -> tuple[dict[str, str], list[str]]:
    """Serve, let clients work, kill; gives what was acknowledged, and what the Hub could not do."""
    process, endpoint = serve(folder)
    clients = [Client(endpoint, token, number) for number in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    if awaits:
        await_commit(clients)
    time.sleep(pause_s)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    for thread in threads:
        thread.join()
    acknowledged = {path: oid for client in clients for path, oid in client.acknowledged.items()}
    return acknowledged, [failure for client in clients for failure in client.failures]


def broken_promises(folder: Path, promised: dict[str, str]) -> list[str]:
    """What `fsck` finds, and what was acknowledged and is not there."""
    import pygit2
    from minihub.git.trees import entry_at
    from minihub.names import RepoName

    state = State(folder)
    try:
        broken = list(check_hub(state))
        git = pygit2.Repository(str(state.repos.named(RepoName("model", "alice", "m")).folder))
        tree = git.references["refs/heads/main"].peel(pygit2.Commit).tree
        for path, oid in promised.items():
            large, small = entry_at(tree, path), entry_at(tree, path + ".txt")
            if large is None or large.etag != oid or small is None or git[small.oid].data != oid.encode():
                broken.append(f"{path} was acknowledged, and is lost")
        git.free()
    finally:
        state.close()
    return broken


def new_hub(folder: Path) -> str:
    """A Hub with a user and a repository; gives the user's token."""
    from minihub.git.history import Author
    from minihub.names import RepoName

    state = State(folder)
    state.accounts.add_user("alice")
    state.repos.create(
        RepoName("model", "alice", "m"), private=False, author=Author("alice", "a@example.org")
    )
    token = state.accounts.add_token("alice")
    state.close()
    return token


def crash(rounds: int, seed: int) -> tuple[int, list[str]]:
    """Many rounds; gives how many commits were acknowledged, and what was broken."""
    chance, commits, broken = random.Random(seed), 0, []
    for start in range(0, rounds, ROUNDS_PER_FOLDER):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "hub"
            token, promised = new_hub(folder), {}
            for number in range(min(ROUNDS_PER_FOLDER, rounds - start)):
                pause_s = chance.uniform(0.02, 0.6)
                acknowledged, failures = one_round(folder, token, pause_s, awaits=number == 0)
                promised |= acknowledged
                broken += failures
                broken += broken_promises(folder, promised)
            commits += len(promised)
    return commits, broken


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    commits, broken = crash(given.rounds, given.seed)
    for line in broken:
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"{given.rounds} kills, {commits} acknowledged commits, {len(broken)} broken promises\n")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
