"""Events as other programs take them: a CSV, Raven's selections, Audacity's tracks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from beats_trainer.atomic import written_whole
from beats_trainer.export.selections import (
    AUDACITY_NAMES,
    NYQUIST,
    RAVEN,
    plain_cell,
    track_name,
    write_names,
)
from beats_trainer.foreign.names import safe_cell
from beats_trainer.train.score import Event

COLUMNS = ("recording", "channel", "start_s", "end_s", "label", "score")


def write_events(events: Iterable[Event], target: Path, form: str) -> int:
    """Write events; returns how many.

    Args:
        events: Those of one recording together.
        target: A file; of `audacity` a folder with a track for each recording.
        form: One of `FORMS`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    return FORMS[form](events, target)


def _to_csv(events: Iterable[Event], target: Path) -> int:
    count = 0
    with written_whole(target) as written, written.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for event in events:
            count += 1
            channel = "" if event.channel is None else event.channel
            times = f"{event.start_s:.3f}", f"{event.end_s:.3f}"
            writer.writerow(
                (safe_cell(event.recording), channel, *times, safe_cell(event.label), f"{event.score:.6f}")
            )
    return count


def _to_raven(events: Iterable[Event], target: Path) -> int:
    count = 0
    with written_whole(target) as written, written.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow((*RAVEN, "Score"))
        for count, event in enumerate(events, 1):
            path = plain_cell(event.recording)
            name, label = path.replace("\\", "/").rpartition("/")[2], plain_cell(event.label)
            channel = (event.channel or 0) + 1
            where = (count, "Spectrogram 1", channel, event.start_s, event.end_s, 0.0, NYQUIST)
            writer.writerow((*where, path, name, event.start_s, label, f"{event.score:.6f}"))
    return count


def _to_audacity(events: Iterable[Event], target: Path) -> int:
    count = 0
    target.mkdir(parents=True, exist_ok=True)
    tracks: dict[str, str] = {}
    for event in events:
        count += 1
        is_new = event.recording not in tracks
        name = tracks.setdefault(event.recording, track_name(event.recording, len(tracks)))
        line = f"{event.start_s:.6f}\t{event.end_s:.6f}\t{plain_cell(event.label)} {event.score:.2f}\n"
        with (target / name).open("w" if is_new else "a", encoding="utf-8", newline="\n") as file:
            file.write(line)
    write_names(target / AUDACITY_NAMES, tracks)
    return count


FORMS: dict[str, Callable[[Iterable[Event], Path], int]] = {
    "csv": _to_csv,
    "raven": _to_raven,
    "audacity": _to_audacity,
}
