"""dvc-hf beside the Hub's own client, HfFileSystem, dvc-s3, and DVC with a folder; what its operations cost.

    python benchmarks/push_pull.py [--quick | --smaller N] [--memory] [--rounds N] [--only PART ...] ...

Everything runs against minihub in a process of its own (dvc-s3 against moto, see transfers/s3.py), on this
machine, whole programs from start to end, one after the other in turning order, with empty caches and each on
a Hub of its own, because what one upload left in either would spare the next its own. A ratio is the median
over the rounds of dvc-hf's time to the other's in the same round. HfFileSystem is given a few of the small
files only, and its time is multiplied, without that of starting.

DVC's own share shows in the rows of a remote that is a folder of the same disk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from transfers import content, costs, s3
from transfers.hub import Hub, hub_process
from transfers.race import OURS, Race

PARTS = ("large", "small", "finetuned", "operations")
NAIVE_FILES = 20
COLUMNS = ("command", "requests", "commits", "received", "answered", "seconds", "peak_mb")


def main() -> None:
    """Measure, print tables, write all as JSON where asked."""
    options = _options()
    report: dict[str, Any] = {"machine": platform.platform(), "cores": os.cpu_count()}
    report["sizes_divided_by"] = options.smaller
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, ExitStack() as stack:
        folder = Path(name)
        hub = stack.enter_context(hub_process(folder / "hub"))
        store = stack.enter_context(s3.s3_process()) if s3.is_installed() else ""
        if not store:
            print("without dvc-s3: its environments are not there (benchmarks/transfers/s3.py says how)")
        for part in options.only or PARTS:
            report[part] = measure(part, folder / part, hub, store, options)
        if options.memory:
            report["memory"] = memory(folder / "memory", hub, options)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, one round")
    parser.add_argument("--memory", action="store_true", help="the memory of 1 GiB and of 20,000 files, too")
    parser.add_argument("--smaller", type=int, default=1, metavar="N", help="divide all sizes by N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", metavar="FILE", help="write all figures there too")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.smaller = 1, 10
    return options


def measure(part: str, folder: Path, hub: Hub, store: str, options: argparse.Namespace) -> Any:
    """One part, with its table."""
    folder.mkdir()
    scale = options.smaller
    if part == "large":
        size = 361_000_000 // scale
        race = Race(content.write_noise(folder / "large.bin", size, 1), folder, store)
        return print_race(f"one file of {size / 1e6:.0f} MB", race.run(options.rounds))
    if part == "small":
        tree = content.write_many(folder / "tree", 1000 // scale)
        naive = content.write_many(folder / "naive", NAIVE_FILES)
        title = f"{1000 // scale} files of 10 kB"
        return print_race(title, Race(tree, folder, store, naive).run(options.rounds))
    if part == "finetuned":
        title = "a fine-tuned copy of a checkpoint of 361 MB (last layer and head changed), through Xet"
        return print_costs(title, costs.finetuned(hub, folder), share="sent")
    files = 10_000 // scale
    return print_costs(f"{files} files of 10 kB", costs.operations(hub, folder, files))


def memory(folder: Path, hub: Hub, options: argparse.Namespace) -> Any:
    """The peaks of memory, as sizes grow."""
    scale = options.smaller
    rows = []
    for size in ((1 << 26) // scale, (1 << 30) // scale):
        rows += print_costs(f"one file of {size >> 20} MiB", costs.large_file(hub, folder / str(size), size))
    for files in (1000 // scale, 20_000 // scale):
        rows += print_costs(f"{files} files of 10 kB", costs.operations(hub, folder / str(files), files))
    return rows


def print_race(title: str, report: dict[str, Any]) -> dict[str, Any]:
    """Seconds on the clock, of the processor, and the ratio of the first."""
    heads = f"{'way':>20}{'seconds':>9}{'processor':>11}{'peak_mb':>9}{OURS + ' / it':>13}"
    print(f"\n{title}\n{'':6}{heads}", flush=True)
    for row in report["push"] + report["pull"] + report["start"]:
        times = " ".join(f"{seconds:.2f}" for seconds in row["all_seconds"])
        more = f", extrapolated x {row['extrapolated_by']:.0f}" if row["extrapolated_by"] != 1 else ""
        figures = "{seconds:>9.2f}{processor_s:>11.2f}{peak_mb:>9.0f}{ours_to_it:>13.3f}".format(**row)
        print(f"{row['what']:6}{row['way']:>20}{figures}   ({times}{more})", flush=True)
    return report


def print_costs(title: str, rows: Iterable[dict[str, Any]], **more: str) -> list[dict[str, Any]]:
    """Requests, commits, bytes from and to the client, seconds, megabytes of memory."""
    print(f"\n{title}\n{COLUMNS[0]:>22}" + "".join(f"{name:>14}" for name in (*COLUMNS[1:], *more.values())))
    kept = []
    for row in rows:
        cells = [f"{row[name]:>14,.0f}" for name in COLUMNS[1:-2]]
        cells += [f"{row[name]:>14.1f}" for name in COLUMNS[-2:]]
        cells += [f"{row[name]:>14.1%}" for name in more]
        print(f"{row['command']:>22}" + "".join(cells), flush=True)
        kept.append(row)
    return kept


if __name__ == "__main__":
    main()
