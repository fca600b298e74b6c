"""Each request of a fetch, spoiled in each way on the wire; what became of it, as a table.

    python beats-trainer/tests/fault_table.py

A cell is `ok` when the right bytes came, and otherwise the message. Every cell also asks that no wrong file
lies in the cache, that nothing is left over but bytes that the next fetch goes on from, that the next fetch
brings the file, and that no other host saw the token. Exit status 1 if one of these does not hold.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

if __name__ == "__main__":
    os.environ |= {
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    sys.path.insert(0, str(Path(__file__).parent))

import spoiler as spoilers
from beats_trainer import fetch_checkpoint
from beats_trainer.errors import BeatsError
from beats_trainer.hub import lookup, retry
from huggingface_hub import constants
from huggingface_hub.utils import _http
from minihub.testing import Hub, serve
from published import Published, dvc_folder, publish, upload
from spoiler import Fault, Spoiler, serve_spoiler

TIMEOUT_S = 0.5  # where it is the fault that nothing comes in time; elsewhere a busy machine may be slow
PATIENT_S = 20
TIMEOUTS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
ALWAYS = 1_000
MOST = 1_000_000  # bytes of a description, here
POURED = 32_000_000  # bytes: what buffers on the way may hold of a body that is not read
FOREIGN = "a file's address"  # the Hub is not the user's, but one that the pin names
LISTED = b"b" * 2_000
MINE = b"mine" * 25_000


@dataclass(frozen=True)
class Request:
    """One request of a fetch: which, of what, and after how many others like it."""

    name: str
    method: str
    path: str
    asked: str


REQUESTS = {
    "repo_info": Request("alice/mine", "GET", "*/api/models/alice/mine*", "mine"),
    "listing HEAD": Request("openbeats", "HEAD", "*/resolve/*.dir", "listing"),
    "listing GET": Request("openbeats", "GET", "*/resolve/*.dir", "listing"),
    "file HEAD": Request("small", "HEAD", "*/resolve/*/small.pt", "file"),
    "file GET": Request("small", "GET", "*/resolve/*/small.pt", "file"),
    "file GET, Range": Request("small", "GET", "*/resolve/*/small.pt", "rest"),
}
FAULTS: dict[str, Callable[[str], Fault]] = {
    "401": lambda path: spoilers.status(401),
    "403": lambda path: spoilers.status(403),
    "403 gated": lambda path: spoilers.status(403, "GatedRepo"),
    "404": lambda path: spoilers.status(404),
    "404 repository": lambda path: spoilers.status(404, "RepoNotFound"),
    "404 revision": lambda path: spoilers.status(404, "RevisionNotFound"),
    "404 file": lambda path: spoilers.status(404, "EntryNotFound"),
    "416": lambda path: spoilers.status(416),
    "429": lambda path: spoilers.status(429),
    "500": lambda path: spoilers.status(500),
    "timeout": lambda path: spoilers.silence(3 * TIMEOUT_S),
    "cut": lambda path: spoilers.cut,
    "wrong bytes": lambda path: spoilers.wrong_bytes,
    "too long": lambda path: spoilers.longer,
    "too short": lambda path: spoilers.shorter,
    "HTML page": lambda path: spoilers.html,
    "redirect": spoilers.redirect,
    "slow drip": lambda path: spoilers.drip(0.4 * TIMEOUT_S),
    "endless": lambda path: spoilers.endless,
    "endless refusal": lambda path: spoilers.endless_refusal,
    "packed": lambda path: spoilers.packed,
    "hostile ETag": lambda path: spoilers.hostile("etag", "x-linked-etag", "sha256"),
    "hostile commit": lambda path: spoilers.hostile("x-repo-commit", "sha"),
    "hostile name": lambda path: spoilers.hostile("rfilename"),
    FOREIGN: lambda path: spoilers.as_it_is,
}


@dataclass
class Scene:
    """A Hub with three things to fetch, and the spoiler before it."""

    published: Published
    spoiler: Spoiler
    folder: Path
    cells: int = 0

    @property
    def bytes_of(self) -> dict[str, bytes]:
        return {"alice/mine": MINE, "openbeats": LISTED, "small": self.published.data}


@contextlib.contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Everything is asked at the spoiler, with a token, with no patience."""
    with serve(folder / "hub") as hub, serve_spoiler(hub.endpoint) as spoiler, contextlib.ExitStack() as undo:
        published, pins = _fill(hub, spoiler, folder)
        _set(undo, os.environ, "BEATS_PINS", pins)
        _set(undo, os.environ, "HF_TOKEN", published.token)
        _set(undo, vars(constants), "ENDPOINT", spoiler.url)
        for name in TIMEOUTS:
            _set(undo, vars(constants), name, PATIENT_S)
        _set(undo, vars(lookup), "LARGEST_DESCRIPTION", MOST)
        _set(undo, vars(retry), "WAITS_S", (0.0,) * 4)
        at_once = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
        _set(undo, vars(_http), "time", at_once)  # 0.34 asks again by itself after 429, before we do
        yield Scene(published, spoiler, folder)


def _fill(hub: Hub, spoiler: Spoiler, folder: Path) -> tuple[Published, str]:
    """Uploads everything; returns it, and the pins of what is asked at the spoiler."""
    published = publish(hub, folder)
    upload(hub, published.token, "alice/mine", {"model.safetensors": MINE}, "model")
    pushed = dvc_folder(published, {"openbeats.pt": LISTED})
    for path in (published.pin, pushed.parent / ".dvc" / "config"):
        path.write_text(path.read_text(encoding="utf-8").replace(hub.endpoint, spoiler.url), encoding="utf-8")
    return published, os.pathsep.join([str(published.pin), str(pushed)])


def _set(undo: contextlib.ExitStack, table: MutableMapping[str, Any], key: str, value: object) -> None:
    if key in table:
        undo.callback(table.__setitem__, key, table[key])
    else:
        undo.callback(table.__delitem__, key)
    table[key] = value


def play(scene: Scene, request: str, fault: str, times: int = ALWAYS) -> str:
    """One cell: what became of a fetch, one of whose requests is spoiled `times` times."""
    asked, spoiler = REQUESTS[request], scene.spoiler
    scene.cells += 1
    vars(constants)["ENDPOINT"] = spoiler.elsewhere if fault == FOREIGN else spoiler.url
    cache = scene.folder / f"cache{scene.cells}"
    if asked.asked == "rest":
        _leave_a_part(scene, cache)
    target = _path_of(scene, asked)
    spoiler.spoil(asked.method, asked.path, FAULTS[fault](target), times)
    vars(constants).update(
        dict.fromkeys(TIMEOUTS, TIMEOUT_S if fault in ("timeout", "slow drip") else PATIENT_S)
    )
    outcome = _fetch(scene, asked.name, cache)
    vars(constants).update(dict.fromkeys(TIMEOUTS, PATIENT_S))
    problems = _leftovers(scene, cache, outcome)
    if fault == FOREIGN:
        problems += ["an address of a file saw the token"] * any(spoiler.tokens_here)
    else:
        problems += [] if spoiler.spoilt else ["the request was never made"]
        problems += ["another host saw the token"] * any(spoiler.tokens_elsewhere)
    problems += ["the body was read on and on"] * (spoiler.poured > POURED)
    problems += ["a file outside the cache"] * bool(list(scene.folder.rglob("outside.pt")))
    problems += ["no other host was asked"] * (
        fault == "redirect" and outcome == "ok" and not spoiler.tokens_elsewhere
    )
    problems += ["the message shows the token"] * (scene.published.token in outcome)
    spoiler.recover()
    vars(constants)["ENDPOINT"] = spoiler.url
    again = _fetch(scene, asked.name, cache)
    problems += [f"the next fetch: {again}"] * (again != "ok")
    problems += ["the next fetch left something over"] * bool(list(cache.rglob("*.incomplete")))
    return "WRONG: " + "; ".join(problems) if problems else outcome


def _leave_a_part(scene: Scene, cache: Path) -> None:
    """A part of the file, so that the next request asks for the rest of it."""
    scene.spoiler.spoil("GET", REQUESTS["file GET"].path, _cut_then_refuse(), ALWAYS)
    _fetch(scene, "small", cache)
    assert [path.stat().st_size > 0 for path in cache.rglob("*.incomplete")] == [True]
    scene.spoiler.recover()


def _cut_then_refuse() -> Fault:
    faults = [spoilers.cut]

    def fault(answer: spoilers.Answer, spoiler: Spoiler) -> Iterator[tuple[float, bytes]]:
        yield from (faults.pop() if faults else spoilers.status(403))(answer, spoiler)

    return fault


def _path_of(scene: Scene, asked: Request) -> str:
    """Where another host has the same."""
    if asked.asked == "mine":
        return "/api/models/alice/mine/revision/main?blobs=true"
    if asked.asked == "listing":
        md5 = (
            next((scene.folder / "clone").glob("*.dvc"))
            .read_text(encoding="utf-8")
            .split()[3]
            .removesuffix(".dir")
        )
        return f"/datasets/alice/pushed/resolve/main/files/md5/{md5[:2]}/{md5[2:]}.dir"
    return f"/datasets/alice/beats/resolve/{scene.published.commit}/small.pt"


def _fetch(scene: Scene, name: str, cache: Path) -> str:
    try:
        path = fetch_checkpoint(name, cache_dir=cache)
    except BeatsError as error:
        return f"{type(error).__name__}: {error}"
    return "ok" if path.read_bytes() == scene.bytes_of[name] else "WRONG FILE"


def _leftovers(scene: Scene, cache: Path, outcome: str) -> list[str]:
    """Whatever lies in the cache and should not."""
    right = set(scene.bytes_of.values())
    files = [path for path in cache.rglob("*") if path.is_file() and ".locks" not in path.parts]
    weights = [path for path in files if path.suffix in (".pt", ".safetensors")]
    problems = [f"a wrong file {path}" for path in weights if path.read_bytes() not in right]
    parts = [path for path in files if path.suffix == ".incomplete"]
    kept = outcome.startswith(("FetchError", "AccessError"))  # what arrived was right as far as it goes
    if parts and (not kept or not all(path.stat().st_size for path in parts)):
        problems.append("leftovers")
    return problems


def main() -> None:
    """Prints the table."""
    started, wrong = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder)) as stage:
        for times, title in ((ALWAYS, "The fault stays"), (1, "The fault passes")):
            print(f"\n{title}\n\n| fault | {' | '.join(REQUESTS)} |\n|---|{'---|' * len(REQUESTS)}")
            for fault in FAULTS:
                cells = [play(stage, request, fault, times) for request in REQUESTS]
                wrong += sum("WRONG" in cell for cell in cells)
                print(f"| {fault} | {' | '.join(brief(cell) for cell in cells)} |", flush=True)
        print(f"\n{stage.cells} cells, {wrong} wrong, {time.monotonic() - started:.0f} s")
    raise SystemExit(bool(wrong))


def brief(cell: str) -> str:
    """The part of a message that says what happened."""
    if cell == "ok" or "WRONG" in cell:
        return cell
    kind, _, text = cell.partition(": ")
    known = next((phrase for phrase in PHRASES if phrase in text), text[:200])
    return f"{kind}: {known}"


PHRASES = (
    *("does not accept the token", "token that is set may not read", "is gated", "Either there is no"),
    *("has no revision", "has no file", "too many requests", "the Hub has a fault", "nothing is there"),
    *("the Hub refused the request", "no answer in time", "no connection to", "broke again and again"),
    *("expected sha256", "expected md5", "expected 300,000 bytes", "this is no Hub", "is no Hub"),
    *("This is no Hub", "is packed", "does not end", "none of them a way out"),
)


if __name__ == "__main__":
    main()
