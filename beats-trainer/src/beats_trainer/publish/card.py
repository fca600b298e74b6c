"""The card of a folder of checkpoints: the README.md that the Hub shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import yaml

from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.pins.digest import file_digest
from beats_trainer.pins.pin import WEIGHTS, WEIGHTS_NAME, Pin
from beats_trainer.publish.card_usage import NOWHERE, Source, fetch_lines, find_source, load_lines
from beats_trainer.publish.hub_words import hub_dataset, hub_model, known_licence, licence_fields

if TYPE_CHECKING:
    from beats_trainer.checkpoint.read import Checkpoint

NAME = "README.md"
TAGS = ("audio", "bioacoustics", "embeddings", "beats")


@dataclass(frozen=True)
class CardRow:
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


def write_card(
    folder: Path, pins: Iterable[Pin] = (), *, licence: str = "", link: str = "", repo_id: str = ""
) -> Path:
    """Writes the card of a folder, the same bytes for the same files, and returns its path.

    Args:
        folder: Where the checkpoints lie.
        pins: Known checkpoints; a file is one of them if its digest says so.
        licence: Of the whole folder; unless given, that of its files where they agree.
        link: Where the text of a licence of one's own is.
        repo_id: Where it will be published, for the lines that say how to use it: `OWNER/NAME` of a dataset,
            or an `hf://` address; where the remote of its DVC repository shows it without it.

    Raises:
        CardError: The Hub has no word for the licence.
    """
    if not folder.is_dir():
        message = f"there is no folder {folder}. Expected the folder that holds your checkpoints."
        raise FileNotFoundError(message)
    source = find_source(folder, repo_id)
    text = card_text(entries_of(folder, list(pins)), source, licence=licence, link=link)
    path = folder / NAME
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def entries_of(folder: Path, pins: Sequence[Pin] = ()) -> list[CardRow]:
    """The checkpoints of a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHTS and path.is_file())
    return [_recognised(row_of(path, path.relative_to(folder).as_posix()), pins) for path in files]


def row_of(file: Path, name: str, pin: Pin | None = None) -> CardRow:
    """The row of a file that is called `name` where the card will be."""
    digests = {algorithm: file_digest(file, algorithm) for algorithm in ("sha256", "md5")}
    return CardRow(PurePosixPath(name), file.stat().st_size, digests["sha256"], digests["md5"], pin)


def _recognised(row: CardRow, pins: Sequence[Pin]) -> CardRow:
    return replace(row, pin=next((pin for pin in pins if _has_digest(pin, row)), None))


def _has_digest(pin: Pin, row: CardRow) -> bool:
    return bool(pin.digests.items() & {"sha256": row.sha256, "md5": row.md5}.items())


def card_text(
    entries: Sequence[CardRow], source: Source = NOWHERE, *, licence: str = "", link: str = ""
) -> str:
    """The whole card."""
    return card_page(_front(entries, licence, link), "BEATs checkpoints", _body(entries, source))


def card_page(front: Mapping[str, object], title: str, body: Sequence[str]) -> str:
    """A card: what the Hub reads, then what people do."""
    head = yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n# {title}\n\n" + "\n".join(body)


def _front(entries: Sequence[CardRow], licence: str, link: str) -> dict[str, object]:
    front: dict[str, object] = dict(licence_fields(licence, link)) if licence else {}
    if not licence and (stated := known_licence(_common_licence(entries))):
        front = {"license": stated}
    return front | {"library_name": "beats-trainer", "tags": [*TAGS, "feature-extraction"]}


def _common_licence(entries: Sequence[CardRow]) -> str:
    licences = {entry.licence for entry in entries}
    return licences.pop() if len(licences) == 1 else ""


def _body(entries: Sequence[CardRow], source: Source) -> list[str]:
    rows = [
        f"| `{entry.path}` | {entry.size:,} | {_identity(entry)} | {entry.licence or 'not stated'} |"
        for entry in entries
    ]
    digests = [f"| `{entry.path}` | `{entry.sha256}` | `{entry.md5}` |" for entry in entries]
    first = entries[0] if entries else CardRow(PurePosixPath("FILE.pt"), 0, "", "")
    known = first.pin.name if first.pin else ""
    return [
        "| file | bytes | what it is | licence |",
        "|---|--:|---|---|",
        *rows,
        "",
        "| file | sha256 | md5 |",
        "|---|---|---|",
        *digests,
        "",
        *load_lines(source.name_of(str(first.path), known), BEATsConfig().encoder_embed_dim),
        *fetch_lines(source, str(first.path)),
    ]


def _identity(entry: CardRow) -> str:
    if entry.pin is None:
        return "not in the registry"
    return entry.pin.description or entry.pin.name


@dataclass(frozen=True)
class Statement:
    """What its author says of a checkpoint, in the Hub's words.

    Raises:
        CardError: The Hub has none for its licence or a data set.
    """

    licence: str
    base_model: str = ""
    datasets: Sequence[str] = ()
    repo_id: str = "OWNER/NAME"
    licence_link: str = ""
    licence_fields: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "licence_fields", licence_fields(self.licence, self.licence_link))
        object.__setattr__(self, "datasets", tuple(map(hub_dataset, self.datasets)))


def model_card(weights: Path, checkpoint: Checkpoint, statement: Statement) -> str:
    """The README.md of a model's repository: what it is, and how to use it."""
    front = {
        **statement.licence_fields,
        **({"base_model": base} if (base := hub_model(statement.base_model)) else {}),
        **({"datasets": list(statement.datasets)} if statement.datasets else {}),
        "library_name": "beats-trainer",
        "pipeline_tag": "audio-classification" if checkpoint.heads else "feature-extraction",
        "tags": list(TAGS),
    }
    row = row_of(weights, WEIGHTS_NAME)
    config = checkpoint.config
    lines = [
        f"A BEATs encoder: {config.encoder_layers} layers, {config.encoder_embed_dim} dimensions.",
        *([f"Made from `{statement.base_model}`."] if statement.base_model else []),
        "",
        "| file | bytes | sha256 | md5 |",
        "|---|--:|---|---|",
        f"| `{row.path}` | {row.size:,} | `{row.sha256}` | `{row.md5}` |",
        "",
        *load_lines(statement.repo_id, config.encoder_embed_dim),
    ]
    return card_page(front, statement.repo_id.rpartition("/")[2], lines)
