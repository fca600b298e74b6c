"""A table to look at and to listen to, as one page."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from beats_trainer.atomic import written_whole
from beats_trainer.report.census import Census, Site, count_clips
from beats_trainer.report.projection import Method
from beats_trainer.report.render import render_page, script_columns
from beats_trainer.report.scatter import Scatter, scatter_clips
from beats_trainer.report.sounds import COLUMNS, LONGEST_S, MELS, open_recordings
from beats_trainer.table.report_csv import read_damage
from beats_trainer.table.settings import column_of, settings_of
from beats_trainer.table.table import read_metadata, table_files

POINTS, CLIPS = 10_000, 100  # on the map; with sound: about 0.1 MB each
SITES = 40  # with a line of their own


def write_page(
    table: Path,
    target: Path,
    *,
    title: str | None = None,
    layer: int | None = None,
    points: int = POINTS,
    clips: int = CLIPS,
    method: Method = "auto",
    root: Path | None = None,
    fetch: bool = False,
) -> Scatter:
    """Writes the page, and says what is on its map.

    Args:
        table: A file or a folder that `beats embed` wrote.
        target: Where to.
        title: Of the page; the table's name without it.
        layer: Whose embeddings are mapped; the last without it.
        points: Clips on the map, by chance if the table has more.
        clips: Clips that can be heard, spread over the map.
        method: How embeddings become points.
        root: Where recordings lie whose names are relative.
        fetch: Whether recordings behind URLs are fetched, to be heard.
    """
    column = column_of(settings_of(table), layer)
    with open_recordings(root, fetch=fetch) as found:
        shown = scatter_clips(table, column, points, clips, method, found)
    census = count_clips(table)
    page = render_page(
        title=title or table.resolve().name,
        census=census,
        sites=_sites(census),
        damage=read_damage(table),
        map=shown,
        made=_provenance(table, column),
        longest_s=LONGEST_S,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=version("beats-trainer"),
        data=_data(shown, census),
    )
    with written_whole(target) as path:
        path.write_text(page, encoding="utf-8", newline="\n")
    return shown


def _sites(census: Census) -> list[Site]:
    """Those with a line of their own, and the others as one."""
    if len(census.sites) <= SITES:
        return list(census.sites)
    kept, others = census.sites[: SITES - 1], census.sites[SITES - 1 :]
    by_hour = tuple(sum(hours) for hours in zip(*(site.hours for site in others), strict=True))
    name = f"{len(others):,} other sites"
    return [*kept, Site(name, by_hour, sum(site.unknown for site in others))]


def _data(shown: Scatter, census: Census) -> dict[str, Any]:
    return {
        **script_columns(shown.rows),
        "x": [round(float(x), 4) for x in shown.points[:, 0]],
        "y": [round(float(y), 4) for y in shown.points[:, 1]],
        "sites": [site.name for site in census.sites[:SITES]],
        "sounds": {str(i): asdict(sound) for i, sound in shown.sounds.items()},
        "picture": {"columns": COLUMNS, "mels": MELS},
    }


def _provenance(table: Path, column: str) -> dict[str, str]:
    """What made the rows, in words."""
    said = read_metadata(table_files(table)[0])
    layer = column.rpartition("_")[2] if "_" in column else ", ".join(map(str, said["layers"]))
    return {
        "Checkpoint": str(said["checkpoint"]),
        "sha256": str(said["sha256"]),
        "Clips": f"{said['clip_s']:g} s every {said['hop_s']:g} s, last: {said['last']}",
        "Layer": f"{layer}, {said['pooling']} of its patches",
        "Channels": str(said["channels"]),
        "Precision": f"{said['precision']}, stored as {said['dtype']}",
    }
