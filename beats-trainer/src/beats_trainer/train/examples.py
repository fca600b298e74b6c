"""What a head learns from: the rows of a table of embeddings, and what the labels say of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import PureWindowsPath
from typing import Literal

import numpy as np
import numpy.typing as npt

from beats_trainer.foreign.measure import shown
from beats_trainer.foreign.names import escaped
from beats_trainer.table.scan import finite_rows
from beats_trainer.table.settings import Settings, column_of, settings_of
from beats_trainer.table.table import Table, read_table
from beats_trainer.train.annotations import NO_LABEL, Annotation, Labels, LabelsError

SHORTEST_S = 0.25  # of an annotation in a clip, or half of it, for the clip to be positive
SILENT = 0.05  # weight of "not heard" where nobody said so
NAMED = 5  # in a message
Weak = Literal["bag", "copy"]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Clips:
    """The clips of a table, with the recording of each."""

    recordings: tuple[str, ...]
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    sites: tuple[str, ...]
    vectors: Floats
    settings: Settings
    column: str


@dataclass(frozen=True)
class Examples:
    """Units to learn from, each one clip, or all clips of a recording whose label says no times (a bag).

    Args:
        vectors: `(rows, dim)`, the rows of one unit together.
        rows: The place of each in the table.
        unit: The unit of each row, ascending.
        targets: `(units, labels)`: 1 heard, 0 not heard.
        weights: `(units, labels)`: 0 where nobody can tell, small where nobody said.
        labels: Their names.
        recordings: The recording of each unit; `start_s`, `end_s` its stretch; `sites` where.
        splits: `train`, `val` or `test` of each unit.
    """

    vectors: Floats
    rows: Numbers
    unit: Numbers
    targets: Floats
    weights: Floats
    labels: tuple[str, ...]
    recordings: tuple[str, ...]
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    sites: tuple[str, ...]
    splits: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)

    def of(self, *splits: str) -> Examples:
        """Those of some splits."""
        return self.take(np.flatnonzero(np.isin(self.splits, splits)))

    def take(self, units: Numbers) -> Examples:
        """Some of the units."""
        chosen = np.isin(self.unit, units)
        renumbered = np.searchsorted(units, self.unit[chosen])
        pick = [int(unit) for unit in units]
        return Examples(
            self.vectors[chosen],
            self.rows[chosen],
            renumbered,
            self.targets[units],
            self.weights[units],
            self.labels,
            tuple(self.recordings[i] for i in pick),
            self.start_s[units],
            self.end_s[units],
            tuple(self.sites[i] for i in pick),
            tuple(self.splits[i] for i in pick),
        )


def read_clips(table: str | PathLike[str], *, layer: int | None = None) -> Clips:
    """The clips of a table that `beats embed` wrote, of one of its layers.

    Raises:
        ValueError: The table does not say what made it, or lacks the layer.
    """
    settings = settings_of(table)
    column = column_of(settings, layer)
    read = read_table(table, column=column)
    rows = np.flatnonzero(finite_rows(read.embeddings))
    names, sites = read.recordings, _sites(read)
    return Clips(
        tuple(names[i] for i in rows),
        read.start_s[rows],
        read.end_s[rows],
        tuple(sites[i] for i in rows),
        np.asarray(read.embeddings[rows], np.float32),
        settings,
        column,
    )


def _sites(table: Table) -> list[str]:
    """The site of each row, else its recorder; empty where neither is known."""
    there = [name for name in ("site", "device") if name in table.columns.column_names]
    values = [table.columns.column(name).to_pylist() for name in there] or [[""] * len(table)]
    return [next(filter(None, row), "") for row in zip(*values, strict=True)]


class Names:
    """Finds the recording of a table that a label means: the same path, or the only one that ends like it."""

    def __init__(self, recordings: Iterable[str]) -> None:
        self._by_last: dict[str, list[str]] = defaultdict(list)
        for name in dict.fromkeys(recordings):
            self._by_last[_parts(name)[-1]].append(name)

    def find(self, recording: str) -> str | None:
        """Its name in the table; None where it is not there.

        Raises:
            LabelsError: Several could be meant.
        """
        wanted = _parts(escaped(recording))
        found = [name for name in self._by_last.get(wanted[-1], ()) if _ends_alike(_parts(name), wanted)]
        exact = [name for name in found if _parts(name) == wanted]
        if _is_whole(recording):  # no other whole path is meant
            found = exact + [name for name in found if not _is_whole(name)]
        if len(found) > 1 and not exact:
            message = (
                f"the labels name the recording {shown(recording)}, and the table has {len(found)} that end "
                f"so, such as {shown(found[0])} and {shown(found[1])}. Name it with more of its folders."
            )
            raise LabelsError(message)
        return next(iter(exact or found), None)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", ".")) or ("",)


def _is_whole(name: str) -> bool:
    """Whether a path begins at the top, on any system."""
    return name.startswith(("/", "\\")) or PureWindowsPath(name).drive != ""


def _ends_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    shared = min(len(one), len(other))
    return tuple(one[-shared:]) == tuple(other[-shared:])


def join_labels(clips: Clips, labels: Labels, *, names: Sequence[str] = (), weak: Weak = "bag") -> Examples:
    """What the labels say of the clips of a table; clips of recordings without labels are no examples.

    Args:
        clips: The clips of the table.
        labels: What is said of their recordings.
        names: The labels of a head that is there already; those that are positive without it.
        weak: What a label without times is said of: of all clips of its recording together (`bag`), or of
            each of them (`copy`).

    Raises:
        LabelsError: A recording of the labels is not in the table, or is ambiguous there.
    """
    said = _by_recording(clips, labels)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, recording in enumerate(clips.recordings):
        rows[recording].append(row)
    columns = {name: i for i, name in enumerate(names or labels.names)}
    units = [
        unit
        for recording in said
        for unit in _units(clips, rows[recording], said[recording], columns, labels.exhaustive, weak)
    ]
    if not units:
        message = (
            "no clip of the table has a label. Compare the recordings of the labels with those of the table."
        )
        raise LabelsError(message)
    return _assemble(clips, units, tuple(columns))


def with_sites(labels: Labels, clips: Clips) -> Labels:
    """The labels, each with the site that the table knows of its recording, where they say none."""
    names, sites = Names(clips.recordings), dict(zip(clips.recordings, clips.sites, strict=True))
    said: dict[str, list[Annotation]] = defaultdict(list)
    for one in labels.annotations:
        said[one.recording].append(one)
    known = {name: _site_of(sites.get(names.find(name) or "", ""), some) for name, some in said.items()}
    placed = (one if one.site else replace(one, site=known[one.recording]) for one in labels.annotations)
    return replace(labels, annotations=tuple(placed))


def _by_recording(clips: Clips, labels: Labels) -> dict[str, list[Annotation]]:
    names = Names(clips.recordings)
    said: dict[str, list[Annotation]] = defaultdict(list)
    missing = []
    found: dict[str, str | None] = {}
    for one in labels.annotations:
        if one.recording not in found:
            found[one.recording] = names.find(one.recording)
        recording = found[one.recording]
        if recording is None:
            missing.append(one.recording)
        else:
            said[recording].append(one)
    if missing:
        _refuse_missing(list(dict.fromkeys(missing)))
    return dict(said)


def _refuse_missing(missing: list[str]) -> None:
    some = ", ".join(map(shown, missing[:NAMED])) + (" ..." if len(missing) > NAMED else "")
    message = (
        f"{len(missing)} recordings of the labels are not in the table: {some}. Embed them into it with "
        "`beats embed`, or take their labels out."
    )
    raise LabelsError(message)


@dataclass(frozen=True)
class _Unit:
    """Rows of one recording, and what is said of them."""

    rows: list[int]
    targets: Floats
    weights: Floats
    split: str
    site: str


def _units(
    clips: Clips,
    rows: list[int],
    said: list[Annotation],
    columns: dict[str, int],
    exhaustive: bool,
    weak: Weak,
) -> list[_Unit]:
    weight = 1.0 if exhaustive else SILENT
    split = next((one.split for one in said if one.split), "")
    site = next((one.site for one in said if one.site), _site_of(clips.sites[rows[0]], said))
    bags = [one for one in said if one.is_whole]
    stretches = [one for one in said if not one.is_whole]
    if bags and not stretches:  # a label without times is said of all that is heard
        targets, weights = np.zeros((1, len(columns)), np.float32), np.ones((1, len(columns)), np.float32)
        for one in bags:
            _mark(targets[0], weights[0], one, columns)
        parts = [rows] if weak == "bag" else [[row] for row in rows]
        return [_Unit(part, targets[0], weights[0], split, site) for part in parts]
    targets = np.zeros((len(rows), len(columns)), np.float32)
    weights = np.full((len(rows), len(columns)), weight, np.float32)
    for one in bags:  # beside stretches it is only a negative that says something of every clip
        for row in range(len(rows)):
            if one.kind == "negative":
                _mark(targets[row], weights[row], one, columns)
    for one in sorted(stretches, key=lambda one: one.kind == "positive"):  # a positive has the last word
        _mark_stretch(targets, weights, one, columns, clips.start_s[rows], clips.end_s[rows])
    return [_Unit([row], targets[i], weights[i], split, site) for i, row in enumerate(rows)]


def _site_of(site: str, said: list[Annotation]) -> str:
    """What the table calls a site; a folder named by label is none, though `beats embed` knows no better."""
    parts = {part.strip().removeprefix("-") for part in _parts(site)[-1].split(",")}
    is_label = not parts.isdisjoint({one.label for one in said if one.label})
    return "" if is_label or parts <= NO_LABEL else site


def _mark(targets: Floats, weights: Floats, one: Annotation, columns: dict[str, int]) -> None:
    """Note one annotation of a whole unit; the empty label means that none of them is heard."""
    chosen = list(columns.values()) if not one.label else [columns[one.label]] if one.label in columns else []
    for column in chosen:
        if one.kind == "positive" or not targets[column]:
            targets[column] = float(one.kind == "positive")
            weights[column] = float(one.kind != "unknown")


def _mark_stretch(
    targets: Floats,
    weights: Floats,
    one: Annotation,
    columns: dict[str, int],
    starts: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
) -> None:
    """Mark clips that hold enough of it, and the one that holds most; those it only touches are unknown."""
    start, end = one.start_s or 0.0, one.end_s or 0.0
    held = np.minimum(ends, end) - np.maximum(starts, start)
    enough = held >= min(SHORTEST_S, (end - start) / 2)
    if held.max() <= 0:
        message = (
            f"the annotation {shown(one.label)} of {shown(one.recording)} lasts from {start:g} to {end:g} s, "
            f"and its clips end at {ends.max():g} s. Correct its times, or embed the rest of the recording."
        )
        raise LabelsError(message)
    enough[int(held.argmax())] = True
    for row in np.flatnonzero(held > 0):
        if enough[row]:
            _mark(targets[row], weights[row], one, columns)
        elif one.label in columns and not targets[row][columns[one.label]]:
            weights[row][columns[one.label]] = 0.0


def _assemble(clips: Clips, units: list[_Unit], labels: tuple[str, ...]) -> Examples:
    rows = np.array([row for unit in units for row in unit.rows])
    numbers = np.repeat(np.arange(len(units)), [len(unit.rows) for unit in units])
    firsts = [unit.rows[0] for unit in units]
    return Examples(
        clips.vectors[rows],
        rows,
        numbers,
        np.stack([unit.targets for unit in units]),
        np.stack([unit.weights for unit in units]),
        labels,
        tuple(clips.recordings[row] for row in firsts),
        clips.start_s[firsts],
        np.array([clips.end_s[unit.rows].max() for unit in units]),
        tuple(unit.site for unit in units),
        tuple(unit.split for unit in units),
    )
