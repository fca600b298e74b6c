"""Which recordings a head learns from and which it is tried on: dealt out by groups, and never leaking."""

from __future__ import annotations

import csv
import hashlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from beats_trainer.atomic import written_whole
from beats_trainer.extras import needs
from beats_trainer.foreign.measure import shown
from beats_trainer.train.annotations import Annotation, Labels, LabelsError
from beats_trainer.train.examples import NAMED, Examples, Floats, Names

SPLITS = ("train", "val", "test")
By = Literal["auto", "recording", "site", "day"]
FEWEST_SITES = 5  # from so many on a site is what a split is made by
SLICES = 20  # groups are dealt into so many parts, each a twentieth
ALIKE = 0.995  # cosine of two clips that may be of one sound
COLUMNS = ("recording", "split")


class LeakError(LabelsError):
    """Something stands on both sides of a split, so that a score would flatter."""


def make_split(
    labels: Labels, *, by: By = "auto", val: float = 0.15, test: float = 0.15, seed: int = 0
) -> dict[str, str]:
    """The split of each recording: whole groups, labels in like shares, the same for the same seed.

    Args:
        labels: A given `split` is obeyed, where every recording has one.
        by: What stays together; `auto` is the site from five sites on, else the recording.
        val: The share to choose settings by.
        test: The share to be tried on.
        seed: Of the dealing.

    Raises:
        LabelsError: The shares are none, or there are fewer groups than splits.
        MissingExtraError: scikit-learn is not installed.
    """
    given = {one.recording: one.split for one in labels.annotations if one.split}
    if given:
        return _given(labels, given)
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        message = f"val is {val} and test {test}: expected shares of less than 1 together. Give smaller ones."
        raise LabelsError(message)
    parts = _dealt(labels, group_recordings(labels, by), seed, SLICES)
    counts = (round(test * len(parts.all)), round(val * len(parts.all)))
    order = {
        part: "test" if part < counts[0] else "val" if part < sum(counts) else "train" for part in parts.all
    }
    return {recording: order[part] for recording, part in parts.of.items()}


def _given(labels: Labels, given: Mapping[str, str]) -> dict[str, str]:
    without = [one.recording for one in labels.annotations if one.recording not in given]
    other = [one for one in labels.annotations if one.split and one.split not in SPLITS]
    both = [one for one in labels.annotations if one.split and given[one.recording] != one.split]
    if without or other or both:
        found = (
            f"{shown(without[0])} has none" if without
            else f"{shown(other[0].recording)} has {shown(other[0].split)}" if other
            else f"{shown(both[0].recording)} has several"
        )  # fmt: skip
        message = (
            f"the labels give splits, and {found}; expected one of {', '.join(SPLITS)} for each recording."
        )
        raise LeakError(message) if both else LabelsError(message)
    return dict(given)


def group_recordings(labels: Labels, by: By = "auto") -> dict[str, str]:
    """What each recording must stay together with.

    Raises:
        LabelsError: The labels do not say it of some recording.
    """
    first: dict[str, Annotation] = {}
    for one in labels.annotations:
        first.setdefault(one.recording, one)
    if by == "auto":
        sites = {one.site for one in first.values()}
        by = "site" if "" not in sites and len(sites) >= FEWEST_SITES else "recording"
    groups = {recording: getattr(one, by) for recording, one in first.items()}
    unknown = [recording for recording, group in groups.items() if not group]
    if unknown:
        message = (
            f"the {by} of {len(unknown)} recordings is not known, such as that of {shown(unknown[0])}. Add a "
            f"column {by} to the labels, or split --by recording."
        )
        raise LabelsError(message)
    return groups


class _Parts:
    """Recordings dealt into equal parts."""

    def __init__(self, of: dict[str, int]) -> None:
        self.of = of
        self.all = sorted(set(of.values()))


def deal_parts(labels: Labels, by: By, seed: int, count: int) -> dict[str, int]:
    """The part of each recording, from 0: whole groups, labels in like shares.

    Args:
        labels: What is heard where.
        by: What stays together.
        seed: Of the dealing.
        count: How many parts.

    Raises:
        LabelsError: There are fewer groups, or a label is heard in fewer, than there are parts.
        MissingExtraError: scikit-learn is not installed.
    """
    found = _dealt(labels, group_recordings(labels, by), seed, count)
    if len(found.all) < count:
        message = (
            f"the labels can be dealt into {len(found.all)} parts: expected {count}. Ask for fewer folds, or "
            "label more recordings."
        )
        raise LabelsError(message)
    return found.of


def _dealt(labels: Labels, groups: Mapping[str, str], seed: int, count: int) -> _Parts:
    needs("sklearn", "train", "splitting labels needs scikit-learn")
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    recordings = sorted(groups)
    several = sorted(set(groups.values()))
    if len(several) < len(SPLITS):
        message = (
            f"the labels have {len(several)} groups: expected at least {len(SPLITS)}, one for each of "
            f"{', '.join(SPLITS)}. Label more recordings, or group them otherwise with --by."
        )
        raise LabelsError(message)
    heard: dict[str, str] = {}
    for one in labels.annotations:
        if one.kind == "positive":
            heard[one.recording] = min(one.label, heard.get(one.recording, one.label))
    kinds = [heard.get(recording, "") for recording in recordings]
    most = max(Counter(kinds).values())
    if most < len(SPLITS):  # no label is heard often enough to be shared out
        kinds, most = [""] * len(kinds), len(kinds)
    # Where each recording is a group of its own the plain dealer does the same, in a hundredth of the time.
    kind = StratifiedKFold if len(several) == len(recordings) else StratifiedGroupKFold
    dealer = kind(min(count, len(several), most), shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # of rare labels: every group goes somewhere all the same
        warnings.simplefilter("ignore")
        dealt = dealer.split(np.zeros(len(recordings)), kinds, [groups[name] for name in recordings])
        return _Parts({recordings[i]: part for part, (_, chosen) in enumerate(dealt) for i in chosen})


def write_split(splits: Mapping[str, str], path: Path) -> None:
    """Write a CSV: `recording,split`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as written, written.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(splits.items()))


def read_split(path: Path) -> dict[str, str]:
    """Read what `write_split` wrote, or a CSV of that form.

    Raises:
        LabelsError: A line is none, or a recording has two splits.
    """
    splits: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            recording, split = (row.get(name) or "" for name in COLUMNS)
            if not recording or split not in SPLITS or splits.setdefault(recording, split) != split:
                message = (
                    f"line {rows.line_num} of {path} gives {shown(recording)} the split {shown(split)}; "
                    f"expected one of {', '.join(SPLITS)}, once a recording. Make it anew with `beats split`."
                )
                raise LabelsError(message)
    return splits


def apply_split(labels: Labels, splits: Mapping[str, str]) -> Labels:
    """The labels, each recording's with its split, found as `Names` does.

    Raises:
        LabelsError: A recording of the labels has none.
    """
    names = Names(splits)
    found = {one.recording: names.find(one.recording) for one in labels.annotations}
    without = [recording for recording, name in found.items() if name is None]
    if without:
        message = (
            f"{len(without)} recordings of the labels have no split, such as {shown(without[0])}. Make the "
            "split from these labels with `beats split`."
        )
        raise LabelsError(message)
    return labels.with_splits({recording: splits[name] for recording, name in found.items() if name})


def leave_learnt(labels: Labels, splits: Mapping[str, str]) -> Labels:
    """The labels of recordings that were not learnt from, by the splits of a run.

    Raises:
        LabelsError: There are none.
    """
    names = Names(name for name, split in splits.items() if split != "test")
    fresh = labels.without({name for name in labels.recordings if splits and names.find(name)})
    if not fresh.annotations:
        message = (
            f"all {len(labels.recordings)} recordings of the labels were learnt from: figures of them would "
            "flatter. Give labels of others."
        )
        raise LeakError(message)
    return fresh


def refuse_leaks(examples: Examples, by: By = "auto") -> None:
    """Compare what stands on the two sides of a split.

    Args:
        examples: With their splits.
        by: What stays together; see `make_split`.

    Raises:
        LeakError: A recording, a site or an equal sound stands on both; each is named.
    """
    sites = set(examples.sites)
    by_site = by == "site" or (by == "auto" and "" not in sites and len(sites) >= FEWEST_SITES)
    leaks = [*_shared_groups(examples, by_site=by_site), *_shared_sounds(examples)]
    if leaks:
        message = (
            f"the split leaks: {'; '.join(leaks[:NAMED])}{' ...' if len(leaks) > NAMED else ''}. Its figures "
            "would flatter. Split by groups with `beats split`, or say --allow-leak: every output then tells."
        )
        raise LeakError(message)


def refuse_unlearnable(examples: Examples) -> None:
    """Every label must be heard somewhere in training.

    Raises:
        LabelsError: One is not.
    """
    train = examples.of("train")
    heard = (
        (train.targets * (train.weights > 0)).sum(axis=0) if len(train) else np.zeros(len(examples.labels))
    )
    lost = [label for label, count in zip(examples.labels, heard, strict=True) if not count]
    if lost:
        message = (
            f"no example to learn {', '.join(map(shown, lost[:NAMED]))} from is in the training split. Label "
            "more of it, split otherwise, or take the label out."
        )
        raise LabelsError(message)
    if len(train) < 2 or not ((train.targets == 0) * (train.weights > 0)).any():
        message = (
            f"there is one label, {shown(examples.labels[0])}, and it is heard in every example: expected "
            "some without it. Add recordings without it, in a folder noise."
        )
        raise LabelsError(message)


def _shared_groups(examples: Examples, *, by_site: bool) -> list[str]:
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for recording, site, split in zip(examples.recordings, examples.sites, examples.splits, strict=True):
        sides["recording", recording].add(split)
        if by_site:
            sides["site", site].add(split)
    return [
        f"the {what} {shown(name)} is in {' and '.join(sorted(found))}"
        for (what, name), found in sides.items()
        if len(found) > 1
    ]


def _shared_sounds(examples: Examples) -> list[str]:
    """Equal vectors are of equal sound, whatever the recordings are called."""
    first: dict[bytes, int] = {}
    leaks = []
    for vector, unit in zip(examples.vectors, examples.unit, strict=True):
        known = first.setdefault(hashlib.blake2b(vector.tobytes(), digest_size=16).digest(), int(unit))
        if examples.splits[known] != examples.splits[unit]:
            names = (shown(examples.recordings[known]), shown(examples.recordings[unit]))
            leaks.append(
                f"{names[0]} ({examples.splits[known]}) and {names[1]} ({examples.splits[unit]}) sound equal"
            )
    return list(dict.fromkeys(leaks))


def count_alike(examples: Examples, *, at_once: int = 1_024) -> int:
    """How many clips outside of training sound nearly like one in it."""
    train, other = examples.of("train"), examples.of("val", "test")
    known, tried = (_unit_length(one.vectors) for one in (train, other))
    blocks = (tried[i : i + at_once] @ known.T for i in range(0, len(tried), at_once)) if len(known) else ()
    return sum(int((block.max(axis=1) > ALIKE).sum()) for block in blocks)


def _unit_length(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = vectors / np.maximum(lengths, np.float32(1e-12))
    return scaled
