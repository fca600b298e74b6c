"""What somebody said is heard where: annotations, and the table of labels that keeps them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from beats_trainer.atomic import written_whole
from beats_trainer.errors import BeatsError
from beats_trainer.foreign.measure import shown

Kind = Literal["positive", "negative", "unknown"]
EXHAUSTIVE = b"beats.exhaustive"  # that all that is heard is annotated
_TEXTS = ("recording", "label", "kind", "annotator", "site", "day", "split")
_SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in _TEXTS]
    + [pa.field("start_s", pa.float64()), pa.field("end_s", pa.float64())]
)

NO_LABEL = frozenset({"noise", "background", "other", "silence"})  # as BirdNET's users name such folders


class LabelsError(BeatsError, ValueError):
    """Labels, or what they are to be used with, make no examples."""


@dataclass(frozen=True)
class Annotation:
    """One label of one stretch of a recording; of all of it where `start_s` and `end_s` are None.

    Args:
        recording: Its name or path, with slashes.
        label: What is heard; empty for "none of the labels", which is always negative.
        kind: Whether it is heard, is not, or nobody can tell.
        annotator: Who said so.
        site: Where it was recorded.
        day: When, as `YYYY-MM-DD`.
        split: `train`, `val` or `test`, where that was given.

    Raises:
        LabelsError: The times are no stretch, or the kind is none.
    """

    recording: str
    label: str
    start_s: float | None = None
    end_s: float | None = None
    kind: Kind = "positive"
    annotator: str = ""
    site: str = ""
    day: str = ""
    split: str = ""

    def __post_init__(self) -> None:
        if (self.start_s is None) != (self.end_s is None) or not self._is_stretch():
            self._refuse(f"lasts from {self.start_s} to {self.end_s} s", "0 <= start < end, or neither")
        if self.kind not in get_args(Kind) or (not self.label and self.kind != "negative"):
            self._refuse(f"is {shown(self.kind)}", f"a label that is one of {', '.join(get_args(Kind))}")

    def _is_stretch(self) -> bool:
        if self.start_s is None or self.end_s is None:
            return True
        return 0 <= self.start_s < self.end_s and math.isfinite(self.end_s)

    def _refuse(self, found: str, expected: str) -> None:
        message = (
            f"the annotation {shown(self.label)} of {shown(self.recording)} {found}; expected {expected}. "
            "Correct it where it was made, then read the labels again."
        )
        raise LabelsError(message)

    @property
    def is_whole(self) -> bool:
        """Whether it is of the whole recording."""
        return self.start_s is None


@dataclass(frozen=True)
class Labels:
    """Annotations, and whether they name all that is heard in their recordings."""

    annotations: tuple[Annotation, ...]
    exhaustive: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that are positive somewhere, in order."""
        return tuple(sorted({one.label for one in self.annotations if one.kind == "positive"}))

    @property
    def recordings(self) -> tuple[str, ...]:
        """Each recording, once."""
        return tuple(dict.fromkeys(one.recording for one in self.annotations))

    def without(self, recordings: Collection[str]) -> Labels:
        """The same, without those of some recordings."""
        return replace(
            self, annotations=tuple(one for one in self.annotations if one.recording not in recordings)
        )

    def with_splits(self, splits: dict[str, str]) -> Labels:
        """The same, each recording's with its split; those without one go."""
        given = [
            replace(one, split=splits[one.recording]) for one in self.annotations if one.recording in splits
        ]
        return replace(self, annotations=tuple(given))


def write_labels(labels: Labels, path: Path) -> None:
    """Write the table of labels: a Parquet file, a row for each annotation."""
    rows = [asdict(one) for one in labels.annotations]
    schema = _SCHEMA.with_metadata({EXHAUSTIVE: b"1" if labels.exhaustive else b"0"})
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as written:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), written)


def read_labels_table(path: Path) -> Labels:
    """Read a table of labels.

    Raises:
        LabelsError: It is none, or a row of it is no annotation.
    """
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        message = f"{path} is no table of labels: {str(error)[:200]}. Make one with `beats labels`."
        raise LabelsError(message) from error
    missing = {"recording", "label"} - set(table.column_names)
    if missing:
        message = f"{path} has no column {' and '.join(sorted(missing))}; make it with `beats labels`."
        raise LabelsError(message)
    known = [field.name for field in fields(Annotation) if field.name in table.column_names]
    rows = table.select(known).to_pylist()
    said = (table.schema.metadata or {}).get(EXHAUSTIVE) == b"1"
    return Labels(tuple(Annotation(**_present(row)) for row in rows), said)


def _present(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def merge_labels(parts: Iterable[Labels]) -> Labels:
    """All of them, each annotation once; exhaustive where every part is."""
    several = list(parts)
    once = dict.fromkeys(one for part in several for one in part.annotations)
    return Labels(tuple(once), all(part.exhaustive for part in several))


def median_length(labels: Labels) -> float | None:
    """Seconds that half of the positive annotations last at most; None where none says its times."""
    lengths = sorted(
        one.end_s - one.start_s
        for one in labels.annotations
        if one.kind == "positive" and one.start_s is not None and one.end_s is not None
    )
    return lengths[(len(lengths) - 1) // 2] if lengths else None


def count_labels(annotations: Sequence[Annotation]) -> dict[str, int]:
    """How often each label is positive, most often first."""
    counts: dict[str, int] = {}
    for one in annotations:
        if one.kind == "positive":
            counts[one.label] = counts.get(one.label, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
