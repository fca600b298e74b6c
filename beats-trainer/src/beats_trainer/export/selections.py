"""A table as the selections of Raven and the label tracks of Audacity."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from beats_trainer.foreign.names import safe_cell
from beats_trainer.sampling import SAMPLE_RATE
from beats_trainer.table.scan import groups_of, present, stream

RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
         "Begin Path", "Begin File", "File Offset (s)", "Annotation")  # fmt: skip
NYQUIST = SAMPLE_RATE / 2  # Hz: what the encoder hears
LABEL = "clip"
AUDACITY_NAMES = "recordings.csv"
_BREAKS = str.maketrans("\t\r\n", "   ")


def to_raven(table: Path, target: Path, _: str) -> None:
    """A Raven Pro selection table. Times are seconds from the start of the recording in `Begin Path`."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(RAVEN)
        number = 0
        for rows in _batches(table):
            writer.writerows(_selection(number + i, row) for i, row in enumerate(rows, 1))
            number += len(rows)


def to_audacity(table: Path, target: Path, _: str) -> None:
    """A folder with a label track for each recording: Audacity's have no place for the name of a file.

    `recordings.csv` in it says which track belongs to which recording.
    """
    target.mkdir(parents=True, exist_ok=True)
    tracks: dict[str, str] = {}
    for rows in _batches(table):
        lines: dict[str, list[str]] = {}
        for row in rows:
            channel = "" if row.get("channel") is None else f", channel {row['channel']}"
            line = f"{row['start_s']:.6f}\t{row['end_s']:.6f}\t{LABEL}{channel}\n"
            lines.setdefault(row["recording"], []).append(line)
        for recording, labels in lines.items():
            name = tracks.setdefault(recording, track_name(recording, len(tracks)))
            with (target / name).open("a", encoding="utf-8", newline="\n") as file:
                file.writelines(labels)
    write_names(target / AUDACITY_NAMES, tracks)


def _selection(number: int, row: dict[str, Any]) -> tuple[object, ...]:
    channel = (row.get("channel") or 0) + 1
    path = plain_cell(row["recording"])
    start, end = row["start_s"], row["end_s"]
    return (number, "Spectrogram 1", channel, start, end, 0.0, NYQUIST, path, _name(path), start, LABEL)


def _name(recording: str) -> str:
    return PurePosixPath(recording.replace("\\", "/")).name


def plain_cell(text: str) -> str:
    """A text without what ends a cell or a line; neither program has an escape."""
    return text.translate(_BREAKS)


def track_name(recording: str, number: int) -> str:
    """What the track of a recording is called; every system takes it."""
    stem = PurePosixPath(_name(recording)).stem
    plain = "".join(c if c.isalnum() or c in " ._-" else "_" for c in stem)[:80]
    return f"{number:05d}-{plain}.txt"


def write_names(path: Path, tracks: dict[str, str]) -> None:
    """Write which track belongs to which recording."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("track", "recording"))
        writer.writerows((name, safe_cell(recording)) for recording, name in tracks.items())


def _batches(table: Path) -> Iterator[list[dict[str, Any]]]:
    columns = present(table, ["recording", "start_s", "end_s", "channel"])
    for _, batch in stream(groups_of(table), columns):
        yield batch.to_pylist()
