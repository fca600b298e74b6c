"""A table in the formats of other programs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from beats_trainer.table import read, table_files

Writer = Callable[[str | Path, Path], None]
RAVEN = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
         "Begin Path", "Annotation")  # fmt: skip
NYQUIST = 8_000  # Hz: what the encoder hears


def to_npz(out: str | Path, target: Path) -> None:
    """NumPy arrays, readable without pickle."""
    table = read(out)
    np.savez(
        target,
        recording=np.array(table.recordings, dtype=np.str_),
        start_s=table.start_s,
        end_s=table.end_s,
        embedding=table.embeddings,
    )


def to_csv(out: str | Path, target: Path) -> None:
    """One line a clip, one column a number."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, row in enumerate(_rows(out, vectors=True)):
            vector = row.pop("embedding")
            if number == 0:
                writer.writerow([*row, *(f"e{i}" for i in range(len(vector)))])
            writer.writerow([*row.values(), *vector])


def to_raven(out: str | Path, target: Path) -> None:
    """A Raven Pro selection table."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(RAVEN)
        for number, row in enumerate(_rows(out), 1):
            channel = (row["channel"] or 0) + 1
            place = (row["start_s"], row["end_s"], 0, NYQUIST, row["recording"])
            writer.writerow([number, "Spectrogram 1", channel, *place, "clip"])


def to_audacity(out: str | Path, target: Path) -> None:
    """A folder with a label track for each recording: Audacity's have no place for the name of a file."""
    target.mkdir(parents=True, exist_ok=True)
    tracks: dict[str, list[str]] = {}
    for row in _rows(out):
        tracks.setdefault(row["recording"], []).append(f"{row['start_s']:.6f}\t{row['end_s']:.6f}\tclip")
    for number, (recording, lines) in enumerate(sorted(tracks.items())):
        name = f"{number:05d}-{Path(recording).stem}.txt"
        (target / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


WRITERS: dict[str, Writer] = {"npz": to_npz, "csv": to_csv, "raven": to_raven, "audacity": to_audacity}


def _rows(out: str | Path, *, vectors: bool = False) -> Iterator[dict[str, Any]]:
    """Part by part, so that memory does not grow with the table."""
    for file in table_files(out):
        columns = ["recording", "start_s", "end_s", "channel", *(["embedding"] if vectors else [])]
        with pq.ParquetFile(file) as part:
            for batch in part.iter_batches(4096, columns=columns):
                yield from batch.to_pylist()
