"""Labels as others write them: folders of clips, CSV, Raven's selections, Audacity's tracks."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from beats_trainer.foreign.measure import shown
from beats_trainer.recordings.lists import PATH_COLUMNS
from beats_trainer.recordings.sources import SUFFIXES
from beats_trainer.recordings.walk import LeftOut, walk_folder
from beats_trainer.train.annotations import (
    NO_LABEL,
    Annotation,
    Labels,
    LabelsError,
    merge_labels,
    read_labels_table,
)
from beats_trainer.train.hoplite_labels import is_hoplite, read_hoplite

COLUMNS = {
    "start_s": ("start_s", "start_time", "start", "begin_time", "begin time (s)", "onset", "offset"),
    "end_s": ("end_s", "end_time", "end", "end time (s)"),
    "label": ("label", "labels", "annotation", "species", "class", "category", "common_name"),
    "annotator": ("annotator", "recordist"),
    "site": ("site", "location", "speaker"),
    "day": ("day", "date"),
    "split": ("split", "fold"),
    "kind": ("kind",),
}
RAVEN = ("selection", "begin time (s)", "end time (s)")
RAVEN_LABELS = ("annotation", "species", "label", "id", "common name", "sound type")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Rows = Iterator[tuple[int, dict[str, str]]]


def read_labels(*sources: str | Path, exhaustive: bool = False) -> Labels:
    """Read labels of any form: folders named by label, CSV, Raven, Audacity, or a table of labels.

    Args:
        sources: Folders or files, one or several.
        exhaustive: That all that is heard is annotated, so that what has no annotation is silent of it.

    Raises:
        FileNotFoundError: A source is not there.
        LabelsError: It holds no labels, or a line of it cannot be read.
    """
    labels = merge_labels(_read_source(Path(source)) for source in sources)
    if not labels.names:
        message = (
            f"no label is positive anywhere in {', '.join(map(str, sources))}: expected recordings in "
            "folders that are named by label, or a CSV, a Raven selection table or an Audacity track."
        )
        raise LabelsError(message)
    return Labels(labels.annotations, exhaustive or labels.exhaustive)


def read_columns(path: Path, *, recording: str, label: str, folder: Path) -> Labels:
    """Read a CSV whose columns have names of their own; `;` stands between several labels.

    Args:
        path: The file.
        recording: The column of paths.
        label: The column of labels.
        folder: What the paths are relative to.

    Raises:
        LabelsError: It has no such columns, or a line of it has no path or no label.
    """
    names = recording.strip().lower(), label.strip().lower()
    found = []
    for line, row in _rows(path, "\t" if path.suffix.lower() == ".tsv" else ","):
        said, heard = (row.get(name, "") for name in names)
        if not said or not heard:
            _refuse(
                path,
                line,
                f"it has the columns {', '.join(map(shown, row))}",
                f"{shown(recording)} and {shown(label)} in each line",
            )
        place = (folder / said.replace("\\", "/")).as_posix()
        found += [Annotation(place, one.strip()) for one in heard.split(";") if one.strip()]
    if not found:
        _refuse(path, 1, "it has no line", f"lines with {shown(recording)} and {shown(label)}")
    return Labels(tuple(found))


def _read_source(path: Path) -> Labels:
    if path.is_dir():
        return Labels(tuple(read_hoplite(path))) if is_hoplite(path) else _read_folders(path)
    if not path.is_file():
        message = f"there are no labels at {path}. Expected a folder of recordings, or a file of labels."
        raise FileNotFoundError(message)
    if path.suffix.lower() == ".parquet":
        return read_labels_table(path)
    return Labels(tuple(_reader_of(path)(path)))


def _read_folders(root: Path) -> Labels:
    """Each folder is a label: `a,b` are two, `-a` is one that is not heard, `noise` is none."""
    files = [Path(file) for file in walk_folder(str(root), SUFFIXES, LeftOut())]
    loose = next((file for file in files if file.parent == root), None)
    if loose is not None:
        message = (
            f"{loose} lies in no folder that names its label. Put each recording into a folder of its label, "
            f"or name those without any {', '.join(sorted(NO_LABEL))}."
        )
        raise LabelsError(message)
    said = [one for file in files for one in _folder_labels(file, root)]
    return Labels(tuple(said), exhaustive=True)


def _folder_labels(file: Path, root: Path) -> Iterator[Annotation]:
    recording = file.as_posix()
    for name in file.relative_to(root).parts[0].split(","):
        label = name.strip()
        if label.lower() in NO_LABEL:
            yield Annotation(recording, "", kind="negative")
        elif label.startswith("-"):
            yield Annotation(recording, label[1:], kind="negative")
        elif label:
            yield Annotation(recording, label)


def _reader_of(path: Path) -> Callable[[Path], Iterator[Annotation]]:
    """By what the first line looks like: the three forms share the suffix `.txt`."""
    first = _text(path).partition("\n")[0].strip().lower()
    if {"selection", "begin time (s)"} <= set(first.split("\t")):
        return _read_raven
    if "\t" in first and re.match(r"[\d.]+\t[\d.]+(\t|$)", first):
        return _read_audacity
    return _read_csv


def _read_csv(path: Path) -> Iterator[Annotation]:
    for line, row in _rows(path, "\t" if path.suffix.lower() == ".tsv" else ","):
        recording = next((row[name] for name in PATH_COLUMNS if row.get(name)), "")
        values = {ours: _first(row, theirs) for ours, theirs in COLUMNS.items()}
        if not recording or not (values["label"] or values["kind"] == "negative"):
            _refuse(
                path, line, f"it has the columns {', '.join(map(shown, row))}", "a recording and its label"
            )
        for label in values["label"].split(";"):
            yield _annotation(path, line, _beside(path, recording), label.strip(), values)


def _read_raven(path: Path) -> Iterator[Annotation]:
    """Several views of one selection count once; `Begin Path`, or `Begin File` with `File Offset (s)`."""
    seen = set()
    for line, row in _rows(path, "\t"):
        number = row.get("selection", "")
        if number in seen:
            continue
        seen.add(number)
        start, end = (_number(path, line, row.get(name, ""), name) for name in RAVEN[1:])
        recording = row.get("begin path") or row.get("begin file") or _named_after(path)
        if offset := row.get("file offset (s)"):
            start, end = (
                _number(path, line, offset, "file offset (s)") + length for length in (0.0, end - start)
            )
        label = _first(row, RAVEN_LABELS)
        if not label:
            _refuse(path, line, "its selection has no label", f"one of the columns {', '.join(RAVEN_LABELS)}")
        yield Annotation(_beside(path, recording), label, start, end)


def _read_audacity(path: Path) -> Iterator[Annotation]:
    """A track names no recording: it is that of the same name beside it."""
    for line, text in enumerate(_text(path).splitlines(), 1):
        cells = text.split("\t")
        if not text.strip() or cells[0] == "\\":  # the frequencies of the label above
            continue
        if len(cells) < len(("start", "end", "label")) or not cells[2].strip():
            _refuse(path, line, f"it is {shown(text)}", "start, end and label, with tabs between them")
        start, end = (_number(path, line, cell, "a time") for cell in cells[:2])
        yield Annotation(_beside(path, _named_after(path)), cells[2].strip(), start, end)


def _annotation(path: Path, line: int, recording: str, label: str, values: dict[str, str]) -> Annotation:
    start, end = (
        _number(path, line, values[name], name) if values[name] else None for name in ("start_s", "end_s")
    )
    day = DAY.match(values["day"])
    return Annotation(
        recording,
        label,
        start,
        end,
        kind=values["kind"] or "positive",  # type: ignore[arg-type] # refused there
        annotator=values["annotator"],
        site=values["site"],
        day=day[0] if day else "",
        split=values["split"],
    )


def _named_after(path: Path) -> str:
    """The recording that a file of labels lies beside and is named after."""
    stem = re.sub(r"(?i)\.table\.\d+\.selections$|\.selections$", "", path.stem)
    beside = sorted(p for p in path.parent.glob(f"{_escaped(stem)}.*") if p.suffix.lower() in SUFFIXES)
    if len(beside) != 1:
        message = (
            f"{path} does not say which recording it is of, and beside it {len(beside)} are called {stem!r}. "
            "Name it as its recording, beside it, or add a column with the recording."
        )
        raise LabelsError(message)
    return beside[0].name


def _escaped(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def _rows(path: Path, delimiter: str) -> Rows:
    rows = csv.DictReader(io.StringIO(_text(path), newline=""), delimiter=delimiter)
    try:
        for row in rows:
            yield (
                rows.line_num,
                {str(k).strip().lower(): (v or "").strip() for k, v in row.items() if _is_cell(v)},
            )
    except csv.Error as error:
        _refuse(path, rows.line_num + 1, f"it cannot be read ({error})", "a line of a CSV")


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, str)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path} is no text in UTF-8: byte {error.start:,} is not. Save it as UTF-8."
        raise LabelsError(message) from error


def _first(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def _beside(path: Path, recording: str) -> str:
    """Relative to the file of labels where that leads to a recording; else as it stands."""
    recording = recording.replace("\\", "/")
    there = path.parent / recording
    return there.as_posix() if there.is_file() else recording


def _number(path: Path, line: int, text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        _refuse(path, line, f"{what} is {shown(text)}", "a number of seconds")


def _refuse(path: Path, line: int, found: str, expected: str) -> NoReturn:
    message = f"line {line} of {path}: {found}; expected {expected}. Correct it, then read the labels again."
    raise LabelsError(message)
