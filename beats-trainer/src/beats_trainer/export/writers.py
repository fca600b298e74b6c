"""Which programs a table can be written for, and how: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from beats_trainer.atomic import written_whole
from beats_trainer.export.arrays import to_atlas, to_csv, to_npz
from beats_trainer.export.hoplite import to_hoplite
from beats_trainer.export.selections import to_audacity, to_raven


@dataclass(frozen=True)
class Writer:
    """Writes the embeddings of one column, or what is known of the clips, to a file or a folder.

    `ending` is what its name ends in unless it is given; a file's must end in its last suffix.
    """

    write: Callable[[Path, Path, str], None]
    ending: str
    folder: bool = False


WRITERS = {
    "npz": Writer(to_npz, ".npz"),
    "csv": Writer(to_csv, ".csv"),
    "raven": Writer(to_raven, ".selections.txt"),
    "audacity": Writer(to_audacity, ".labels", folder=True),
    "hoplite": Writer(to_hoplite, ".hoplite", folder=True),
    "atlas": Writer(to_atlas, ".atlas.parquet"),
}


def write_as(kind: str, table: Path, target: Path | None, column: str) -> Path:
    """Write a table for another program.

    Args:
        kind: One of `WRITERS`.
        table: A file or a folder.
        target: Where to; a name made of the table's in this folder without it.
        column: Which embeddings.

    Raises:
        ValueError: The target is not named as the program wants it.
        FileExistsError: It would overwrite a folder, or the table.
    """
    writer = WRITERS[kind]
    target = target or Path(table.resolve().stem + writer.ending)
    _refuse_name(kind, writer, table, target)
    with written_whole(target) as path:
        writer.write(table, path, column)
    return target


def _refuse_name(kind: str, writer: Writer, table: Path, target: Path) -> None:
    suffix = f".{writer.ending.rpartition('.')[2]}"
    if not writer.folder and target.suffix.lower() != suffix:
        message = f"{target} is no name for {kind}. End it in {suffix}."
        raise ValueError(message)
    if target.is_dir() or (target.exists() and target.samefile(table)):
        message = f"{target} is there already and is not overwritten. Name another place with -o."
        raise FileExistsError(message)
