"""Lists of recordings: one a line, or a table with what is known of each."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from beats_trainer.foreign.measure import shown
from beats_trainer.recordings.metadata import Deployment
from beats_trainer.recordings.remote import is_url
from beats_trainer.recordings.said import Said

PATH_COLUMNS = ("recording", "file", "path", "filename", "url")
_BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}


def read_list(path: Path) -> Iterator[tuple[str, Deployment]]:
    """The recordings of a list, and what it knows of them; relative paths are seen from the list.

    Raises:
        ValueError: The file is no text, or a line of it cannot be read.
    """
    text = _text(path)
    if path.suffix.lower() == ".txt":
        lines = (line.strip() for line in text.splitlines())
        yield from ((_beside(path, line), Deployment()) for line in lines if line and line[0] != "#")
        return
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(path))
    try:
        column = _path_column(path, rows.fieldnames or ())
        for row in rows:
            yield _recording(path, rows.line_num, row.get(column)), _deployment(path, rows.line_num, row)
    except csv.Error as error:
        _refuse(path, rows.line_num + 1, f"it cannot be read ({error})")


def _text(path: Path) -> str:
    content = path.read_bytes()
    encoding = next((name for bom, name in _BOMS.items() if content.startswith(bom)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        byte = f"byte {error.start:,} is {content[error.start]:#x}"
        message = f"{path} is no text in UTF-8: {byte}. Save it as UTF-8."
        raise ValueError(message) from error


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _path_column(path: Path, columns: Sequence[str]) -> str:
    there = list(columns)
    column = next((c for c in PATH_COLUMNS if c in there), None)
    if column is None:
        message = (
            f"{path} has no column with recordings: it has {', '.join(there) or 'none'}, "
            f"expected one of {', '.join(PATH_COLUMNS)}."
        )
        raise ValueError(message)
    return column


def _recording(path: Path, line: int, cell: str | None) -> str:
    if not cell:
        _refuse(path, line, "it names no recording")
    return _beside(path, cell)


def _beside(listing: Path, location: str) -> str:
    return location if is_url(location) else str(listing.parent / location)


def _deployment(path: Path, line: int, row: dict[str, str]) -> Deployment:
    """What somebody wrote down on purpose is right, or is refused."""
    said = Said(f"line {line}")
    if row.get("datetime"):
        said.moment(row["datetime"])
    if row.get("device"):
        said.device(row["device"])
    if row.get("latitude") and row.get("longitude"):
        said.place(row["latitude"], row["longitude"])
    elif row.get("latitude") or row.get("longitude"):
        _alone(row, said)
    if said.doubts:
        _refuse(path, line, said.doubts[0].partition(": ")[2].partition(";")[0])
    return Deployment(**said.facts, site=row.get("site") or None)


def _alone(row: dict[str, str], said: Said) -> None:
    """Half a position is kept as it is given."""
    for name, most in (("latitude", 90.0), ("longitude", 180.0)):
        if row.get(name):
            said.degrees(name, row[name], most)


def _refuse(path: Path, line: int, why: str) -> NoReturn:
    message = (
        f"{path}, line {line}: {shown(why)[1:-1]}. Expected the path of a recording, and datetime as "
        "2024-05-01T05:30:00+10:00, latitude and longitude as degrees, where they are given."
    )
    raise ValueError(message)
