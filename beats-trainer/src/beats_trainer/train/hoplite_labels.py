"""Labels that were given in perch-hoplite: the annotations of its database, read without it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from beats_trainer.foreign.measure import shown
from beats_trainer.train.annotations import Annotation, LabelsError

DATABASE = "hoplite.sqlite"
KINDS: tuple[Literal["negative", "positive", "unknown"], ...] = ("negative", "positive", "unknown")
QUESTION = """
SELECT annotations.id, recordings.filename, annotations.offsets, annotations.label, annotations.label_type,
       annotations.provenance, deployments.name
FROM annotations JOIN recordings ON recordings.id = annotations.recording_id
LEFT JOIN deployments ON deployments.id = recordings.deployment_id ORDER BY annotations.id
"""


def is_hoplite(folder: Path) -> bool:
    """Whether a folder is a database of perch-hoplite's."""
    return (folder / DATABASE).is_file()


def read_hoplite(folder: Path) -> Iterator[Annotation]:
    """The annotations of a database; its third kind, `uncertain`, is unknown here, a deployment a site.

    Args:
        folder: That holds `hoplite.sqlite`.

    Raises:
        LabelsError: It is none that perch-hoplite 1.0 and later write, or an annotation cannot be read.
    """
    path = folder / DATABASE
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            for row in database.execute(QUESTION):
                yield _annotation(path, *row)
    except sqlite3.Error as error:
        message = (
            f"{path} cannot be read as a database of perch-hoplite ({error}): expected one that version 1.0 "
            "or a later one wrote. Open it there and save it anew, or export its annotations as a CSV."
        )
        raise LabelsError(message) from error


def _annotation(
    path: Path, number: Any, recording: Any, offsets: Any, label: Any, kind: Any, who: Any, site: Any
) -> Annotation:
    times = _times(offsets)
    is_known = isinstance(kind, int) and 0 <= kind < len(KINDS)
    texts = all(isinstance(one, str) for one in (recording, label, who)) and isinstance(site, str | None)
    if times is None or not is_known or not texts or not recording:
        message = (
            f"the annotation {shown(number)} in {path} cannot be read: expected a recording, two times, a "
            "label and one of three kinds. Correct it in perch-hoplite, then read the labels again."
        )
        raise LabelsError(message)
    return Annotation(
        recording.replace("\\", "/"), label, *times, kind=KINDS[kind], annotator=who, site=site or ""
    )


def _times(offsets: Any) -> tuple[float, float] | None:
    """Start and end in seconds; two float64, as perch-hoplite keeps them."""
    if not isinstance(offsets, bytes) or len(offsets) != struct.calcsize("<2d"):
        return None
    start, end = struct.unpack("<2d", offsets)
    return (start, end) if 0 <= start < end < float("inf") else None
