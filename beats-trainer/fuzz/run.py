"""Damaged and malicious files, each read by a process of its own that is watched.

Checkpoints, and what comes with them: descriptions, pins, DVC configs, listings, bundles, signatures.

    python beats-trainer/fuzz/run.py [--count 5000] [--seed N] [--json FILE] [--keep DIR]

A file must be refused with an error that is meant for the reader, or be loaded with its tensors valid; no
file may run code, take 1 GB of memory or 5 seconds of the processor. Needs a POSIX system: each file is read
by a fork.
"""

from __future__ import annotations

import argparse
import codecs
import json
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import texts
import torch
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.errors import BeatsError, MissingExtraError
from beats_trainer.hub.signature import PublicKey, check_signature, need_signing
from beats_trainer.load import load_model
from beats_trainer.pins.dvcfile import read_pin
from beats_trainer.pins.pin import FolderPin
from beats_trainer.publish import bundle
from malice import CANARY, every, write_legacy
from mutations import MUTATIONS, seeds

TINY = Path(__file__).resolve().parents[1] / "tests" / "golden" / "tiny"
MOST_BYTES = 1_000_000_000
MOST_S = 5.0  # of the processor
LONGEST_WAIT_S = 120
KINDS = 470  # malicious files in one round, about
CODECS = ("ascii", "cp437", "latin-1", "raw_unicode_escape", "unicode_escape")
# What Python tells its audit hooks when somebody acts on the world.
ACTS = ("os.", "subprocess.", "socket.", "shutil.", "exec", "ctypes.dlopen", "webbrowser.", "urllib.")
HARMLESS = ("os.scandir", "os.listdir", "os.putenv", "os.unsetenv")
NEIGHBOURS = {
    texts.CONFIG: "espnet_finetuned_valid.mAP.best.pth",
    texts.LABELS: "esp-aves2-sl-beats-all.safetensors",
}


@dataclass(frozen=True)
class Outcome:
    """How the reading of one file ended."""

    kind: str
    verdict: str  # refused, loaded, or what is wrong
    detail: str
    seconds: float
    memory: int

    @property
    def is_fine(self) -> bool:
        """Whether this is what should happen."""
        within = self.seconds < MOST_S and self.memory < MOST_BYTES
        return within and self.verdict in ("refused", "loaded")


def main() -> None:
    """Reads all files and prints the counts; exit status 1 if one did not end as it should."""
    options = _options()
    torch.set_num_threads(1)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare(Path(folder))
        load_model(TINY / "naturebeats.pt", device="cpu")  # what is imported late is imported by now,
        repr(torch.zeros(3))  # and what messages need,
        for codec in CODECS:  # and what names in archives and in pickles are written in
            codecs.lookup(codec)
        outcomes = run(Path(folder), options)
    print_counts(outcomes)
    if options.json:
        Path(options.json).write_text(json.dumps(summary(outcomes), indent=1) + "\n", encoding="utf-8")
    if not all(outcome.is_fine for outcome in outcomes):
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="how many files")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="to get the same files")
    parser.add_argument("--json", type=os.path.abspath, help="where to write the counts")
    parser.add_argument(
        "--keep", type=os.path.abspath, help="a folder for files that did not end as they should"
    )
    return parser.parse_args()


def prepare(folder: Path) -> None:
    """What lies beside the texts: the checkpoints that they describe, and the file that is signed."""
    for file in NEIGHBOURS.values():
        Path(folder, file).write_bytes((TINY / file).read_bytes())
    Path(folder, ".dvc").mkdir()
    Path(folder, "signed").mkdir()
    Path(folder, "signed", "a.pt").write_bytes(texts.SIGNED)
    Path(folder, "beside.dvc").write_text(f"outs:\n- path: m.pt\n  md5: {'a' * 32}\n")
    for name, data in texts.whole(TINY).items():  # what is imported late is imported by now
        if name != texts.SIG or can_sign():
            place(folder, name).write_bytes(data)
            read(place(folder, name))
            place(folder, name).unlink()


def can_sign() -> bool:
    """Whether signatures can be looked at here."""
    try:
        need_signing()
    except MissingExtraError:
        return False
    return True


def place(folder: Path, name: str) -> Path:
    """Where a file of this name is found by whoever reads it."""
    return folder / {texts.DVC: ".dvc", texts.SIG: "signed"}.get(name, "") / name


def read(path: Path) -> None:
    """Reads a file as the package does."""
    readers = {
        texts.PIN: lambda: read_pin(path),
        texts.DVC: lambda: read_pin(path.parents[1] / "beside.dvc"),
        texts.LISTING: lambda: FolderPin("0" * 32, None, origin=str(path)).entries(path.read_bytes()),
        texts.BUNDLE: lambda: bundle.verify_bundle(path),
        texts.SIG: lambda: check_signature(path.parent, PublicKey(texts.KEY, "the fuzzer"), str(path)),
        **{name: lambda: read_checkpoint(path.with_name(NEIGHBOURS[path.name])) for name in NEIGHBOURS},
    }
    readers.get(path.name, lambda: load_model(path, device="cpu"))()


def run(folder: Path, options: argparse.Namespace) -> list[Outcome]:
    """Each file, written, read and removed."""
    outcomes = []
    for number, (kind, name, data) in enumerate(files(folder, options.count, options.seed)):
        path = place(folder, name)
        path.write_bytes(data)
        outcome = watch(kind, path)
        outcomes.append(outcome)
        if not outcome.is_fine:
            print(f"file {number}: {outcome}", flush=True)
            if options.keep:
                Path(options.keep, f"{number}-{name}").write_bytes(data)
        path.unlink()
    return outcomes


def files(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Kind, name and content: malicious files first, one of each kind for a thousand, then damaged ones.

    Where fewer are asked for than there are kinds, chance leaves some out.
    """
    chance = random.Random(seed)
    content = torch.load(TINY / "BEATs_iter3_plus_AS2M.pt", weights_only=True)
    legacy = write_legacy(content, folder / "legacy.pt")
    made, most = 0, count * 2 // 3
    for _ in range(max(1, count // 1000)):
        for one in malicious(content, chance):
            if made < most and chance.random() < most / KINDS:
                yield one
                made += 1
    yield from damaged(legacy, chance, count - made)


def malicious(content: dict[str, Any], chance: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """One of each kind."""
    for kind, data in every(content, chance):
        yield kind, f"file{chance.choice(['.pt', '.pth', '.safetensors'])}", data
    for kind, name, data in texts.every(TINY, chance):
        if name != texts.SIG or can_sign():
            yield kind, name, data


def damaged(legacy: Path, chance: random.Random, count: int) -> Iterator[tuple[str, str, bytes]]:
    """Whole files, changed by chance: every other one a checkpoint."""
    checkpoints = [(f"file{path.suffix}", path.read_bytes()) for path in seeds(TINY, legacy)]
    others = [(name, data) for name, data in texts.whole(TINY).items() if name != texts.SIG or can_sign()]
    for number in range(count):
        name, data = chance.choice((checkpoints, others)[number % 2])
        changes = MUTATIONS if number % 2 == 0 else (*MUTATIONS, *texts.CHANGES)
        mutate = changes[number // 2 % len(changes)]
        yield (
            f"{mutate.__name__.replace('_', ' ')}{'' if number % 2 == 0 else f', {name}'}",
            name,
            mutate(data, chance),
        )


def watch(kind: str, path: Path) -> Outcome:
    """One file, read by a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _read(path, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode(errors="replace")
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime  # of its own: the machine may be busy with others
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    verdict, _, detail = said.partition(": ")
    if Path(CANARY).exists():
        verdict, detail = "RAN CODE", "the canary is there"
    elif status:
        verdict, detail = "DIED", f"status {status}, {said}"
    return Outcome(kind, verdict, detail, seconds, memory)


def _read(path: Path, writing: int) -> None:
    """In the fork: reads the file, says how that ended, and is gone."""
    signal.alarm(LONGEST_WAIT_S)
    resource.setrlimit(resource.RLIMIT_CPU, (int(2 * MOST_S), int(2 * MOST_S)))
    resource.setrlimit(resource.RLIMIT_DATA, (8 * MOST_BYTES, 8 * MOST_BYTES))
    acts: list[str] = []
    if path.name != texts.SIG:  # to look at one, a key is written to a folder of its own
        sys.addaudithook(lambda event, arguments: acts.append(event) if _is_act(event, arguments) else None)
    try:
        read(path)
        said = "loaded: "
    except BeatsError as error:
        said = f"refused: {error}" if _is_clear(str(error), path) else f"UNCLEAR: {error}"
    except BaseException as error:  # noqa: BLE001 - that is the finding
        said = f"ESCAPED: {type(error).__name__}: {error}"
    said = f"RAN CODE: {acts}" if acts else said
    os.write(writing, said.encode()[:4000])
    os._exit(0)


def _is_act(event: str, arguments: tuple[object, ...]) -> bool:
    if event in ("open", "shutil.copyfile") and _is_unnamed(str(arguments[event != "open"])):
        return False
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        if arguments[0] == os.devnull:
            return False
        return (isinstance(mode, str) and set(mode) & set("wax+") != set()) or (
            isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) != 0
        )
    return event.startswith(ACTS) and event not in HARMLESS


def _is_unnamed(target: str) -> bool:
    """Whether this is the copy without a name that weights are mapped from."""
    return target == tempfile.gettempdir() or target.startswith("/proc/self/fd/")


def _is_clear(message: str, path: Path) -> bool:
    """A message says which file, or what the encoder gave, in whole sentences, and is short enough."""
    return 40 < len(message) < 3000 and (str(path) in message or "encoder" in message)


def summary(outcomes: list[Outcome]) -> dict[str, object]:
    """The counts, for JSON."""
    return {
        "files": len(outcomes),
        "refused": sum(outcome.verdict == "refused" for outcome in outcomes),
        "loaded": sum(outcome.verdict == "loaded" for outcome in outcomes),
        "wrong": [vars(outcome) for outcome in outcomes if not outcome.is_fine],
        "slowest_s": round(max(outcome.seconds for outcome in outcomes), 2),
        "largest_mb": round(max(outcome.memory for outcome in outcomes) / 1e6),
    }


def print_counts(outcomes: list[Outcome]) -> None:
    """One line a kind, and one for all."""
    width = max(len(outcome.kind) for outcome in outcomes)
    print(f"{'kind':{width}}{'refused':>9}{'loaded':>8}{'wrong':>7}{'slowest s':>11}{'most MB':>9}")
    for kind in [*dict.fromkeys(outcome.kind for outcome in outcomes), "all"]:
        these = [outcome for outcome in outcomes if kind in (outcome.kind, "all")]
        told = Counter(outcome.verdict if outcome.is_fine else "wrong" for outcome in these)
        figures = f"{max(o.seconds for o in these):11.2f}{max(o.memory for o in these) / 1e6:9.0f}"
        print(f"{kind:{width}}{told['refused']:9}{told['loaded']:8}{told['wrong']:7}{figures}")


if __name__ == "__main__":
    main()
