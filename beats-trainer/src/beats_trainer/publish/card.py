"""The card of a folder of checkpoints: the README.md that the Hub shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import yaml

from beats_trainer.pins.digest import file_digest
from beats_trainer.pins.pin import WEIGHTS, WEIGHTS_NAME, Pin

if TYPE_CHECKING:
    from beats_trainer.checkpoint.read import Checkpoint

NAME = "README.md"
TAGS = ("audio", "bioacoustics", "embeddings", "beats", "feature-extraction")
MODEL_TAGS = ("audio", "bioacoustics", "embeddings", "beats")


@dataclass(frozen=True)
class Entry:
    """One file of the folder, and the pin whose bytes it has, if any."""

    path: PurePosixPath
    size: int
    sha256: str
    md5: str
    pin: Pin | None = None

    @property
    def licence(self) -> str:
        """The licence of its pin; nothing is known of other files."""
        return self.pin.licence if self.pin else ""


def write_card(folder: Path, pins: Iterable[Pin] = (), *, licence: str = "", repo_id: str = "") -> Path:
    """Writes the card of a folder, the same bytes for the same files, and returns its path.

    Args:
        folder: Where the checkpoints lie.
        pins: Known checkpoints; a file is one of them if its digest says so.
        licence: Of the whole folder; unless given, that of its files where they agree.
        repo_id: Where it will be published, for the lines that say how to use it.
    """
    if not folder.is_dir():
        message = f"there is no folder {folder}. Expected the folder that holds your checkpoints."
        raise FileNotFoundError(message)
    path = folder / NAME
    text = card_text(entries_of(folder, list(pins)), licence=licence, repo_id=repo_id)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def entries_of(folder: Path, pins: Sequence[Pin] = ()) -> list[Entry]:
    """The checkpoints of a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHTS and path.is_file())
    return [_entry(folder, path, pins) for path in files]


def _entry(folder: Path, path: Path, pins: Sequence[Pin]) -> Entry:
    digests = {name: file_digest(path, name) for name in ("sha256", "md5")}
    pin = next((pin for pin in pins if _has_digest(pin, digests)), None)
    relative = PurePosixPath(path.relative_to(folder).as_posix())
    return Entry(relative, path.stat().st_size, digests["sha256"], digests["md5"], pin)


def _has_digest(pin: Pin, digests: dict[str, str]) -> bool:
    return any(digests[name] == value for name, value in pin.digests.items())


def card_text(entries: Sequence[Entry], *, licence: str = "", repo_id: str = "") -> str:
    """The whole card."""
    front = yaml.safe_dump(_front(entries, licence), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n# BEATs checkpoints\n\n" + "\n".join(_body(entries, repo_id))


def _front(entries: Sequence[Entry], licence: str) -> dict[str, object]:
    stated = licence or _common_licence(entries)
    front: dict[str, object] = {"license": stated.split(" ")[0].lower()} if stated else {}
    return front | {"library_name": "beats-trainer", "tags": list(TAGS)}


def _common_licence(entries: Sequence[Entry]) -> str:
    licences = {entry.licence for entry in entries}
    return licences.pop() if len(licences) == 1 else ""


def _body(entries: Sequence[Entry], repo_id: str) -> list[str]:
    rows = [
        f"| `{entry.path}` | {entry.size:,} | {_identity(entry)} | {entry.licence or 'not stated'} |"
        for entry in entries
    ]
    digests = [f"| `{entry.path}` | `{entry.sha256}` | `{entry.md5}` |" for entry in entries]
    where = repo_id or "OWNER/NAME"
    first = str(entries[0].path) if entries else "FILE.pt"
    return [
        "| file | bytes | what it is | licence |",
        "|---|--:|---|---|",
        *rows,
        "",
        "| file | sha256 | md5 |",
        "|---|---|---|",
        *digests,
        "",
        "## How to use",
        "",
        "```python",
        "from beats_trainer import BEATsFeatureExtractor",
        "",
        f'extractor = BEATsFeatureExtractor("{PurePosixPath(first).with_suffix("")}")',
        'embedding = extractor.extract_from_file("recording.wav")  # (768,)',
        "```",
        "",
        "Or fetch the plain file:",
        "",
        "```sh",
        f"hf download --repo-type dataset {where} {first}",
        "```",
        "",
        "DVC keeps the same bytes under `files/md5/`: `dvc pull` brings them where `checkpoints.dvc` is.",
        "",
    ]


def _identity(entry: Entry) -> str:
    if entry.pin is None:
        return "not in the registry"
    return entry.pin.description or entry.pin.name


@dataclass(frozen=True)
class Statement:
    """What its author says of a checkpoint."""

    licence: str
    base_model: str = ""
    datasets: Sequence[str] = ()
    repo_id: str = "OWNER/NAME"


def model_card(weights: Path, checkpoint: Checkpoint, statement: Statement) -> str:
    """The README.md of a model's repository: what it is, and how to use it."""
    front = {
        "license": statement.licence.lower(),
        **({"base_model": statement.base_model} if "/" in statement.base_model else {}),
        **({"datasets": list(statement.datasets)} if statement.datasets else {}),
        "library_name": "beats-trainer",
        "pipeline_tag": "audio-classification" if checkpoint.heads else "feature-extraction",
        "tags": list(MODEL_TAGS),
    }
    digests = {name: file_digest(weights, name) for name in ("sha256", "md5")}
    config = checkpoint.config
    name = statement.repo_id.rpartition("/")[2]
    lines = [
        f"# {name}",
        "",
        f"A BEATs encoder: {config.encoder_layers} layers, {config.encoder_embed_dim} dimensions.",
        *([f"Made from `{statement.base_model}`."] if statement.base_model else []),
        "",
        "| file | bytes | sha256 | md5 |",
        "|---|--:|---|---|",
        f"| `{WEIGHTS_NAME}` | {weights.stat().st_size:,} | `{digests['sha256']}` | `{digests['md5']}` |",
        "",
        "## How to use",
        "",
        "```python",
        "from beats_trainer import BEATsFeatureExtractor",
        "",
        f'extractor = BEATsFeatureExtractor("{statement.repo_id}")',
        f'embedding = extractor.extract_from_file("recording.wav")  # ({config.encoder_embed_dim},)',
        "```",
        "",
    ]
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n" + "\n".join(lines)
