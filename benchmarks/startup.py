"""What an installed dvc-hf costs a Python that has nothing to do with it.

    python benchmarks/startup.py [--runs N] [--json FILE] [--quick]

Three environments see the same packages: `without` dvc-hf, `with` it laid out as its wheel is, and
`control`, a second one without it. Each round runs a program in all three, in an order that turns; the table
has the median of the differences within a round and its 95 % interval (by order statistics). `control` shows
how far noise goes. Beside the time on the clock stands the processor's, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).parents[1] / "dvc-hf"
PROGRAMS = {
    "python -c pass": ("pass", 20),
    "import dvc": ("import dvc", 4),
    "import dvc.config": ("import dvc.config", 2),
    "import dvc.repo": ("import dvc.repo", 1),
}  # each with its share of the runs, because the last takes a hundred times the first


def main() -> None:
    """Measure, print one table, write it as JSON where asked."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        pythons = {name: environment(Path(folder, name)) for name in ("without", "with", "control")}
        install(Path(folder, "with"))
        rows = [row for name in PROGRAMS for row in measure(name, pythons, options.runs)]
    print_table(rows)
    if options.json:
        report = {"python": platform.python_version(), "machine": platform.platform(), "rows": rows}
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=600, help="rounds of `python -c pass` (default: 600)")
    parser.add_argument("--json", metavar="FILE", help="write the table there too")
    parser.add_argument("--quick", action="store_true", help="60 rounds")
    options = parser.parse_args()
    options.runs = 60 if options.quick else options.runs
    return options


def environment(folder: Path) -> Path:
    """A Python that imports the packages of this one, but runs none of its `.pth` lines."""
    venv.create(folder, symlinks=sys.platform != "win32")
    (site_packages(folder) / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def site_packages(folder: Path) -> Path:
    """Where an environment keeps its packages."""
    scheme = {"base": str(folder), "platbase": str(folder)}
    return Path(sysconfig.get_path("purelib", "venv", scheme))


def install(folder: Path) -> None:
    """Put dvc-hf there as its wheel does."""
    target = site_packages(folder)
    shutil.copytree(PLUGIN / "src" / "dvc_hf", target / "dvc_hf")
    for name in ("dvc_hf.pth", "dvc_hf.start"):
        shutil.copy(PLUGIN / name, target)


def measure(name: str, pythons: dict[str, Path], runs: int) -> list[dict[str, Any]]:
    """Time one program in each environment by each clock; milliseconds."""
    program, share = PROGRAMS[name]
    rounds = max(10, runs * share // 20)
    times: dict[str, list[tuple[float, float]]] = {environment: [] for environment in pythons}
    for number in range(-2, rounds):  # the first two write bytecode and warm the disk's cache
        for environment in sorted(pythons, key=lambda e: (list(pythons).index(e) + number) % len(pythons)):
            taken = _milliseconds(pythons[environment], program)
            if number >= 0:
                times[environment].append(taken)
    clocks = ("wall", "processor") if hasattr(os, "wait4") else ("wall",)
    return [{"program": name, "clock": clock, **_row(times, at)} for at, clock in enumerate(clocks)]


def _milliseconds(python: Path, program: str) -> tuple[float, float]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    started = time.perf_counter()
    process = subprocess.Popen([python, "-c", program], env=kept)
    used = 0.0
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        used = usage.ru_utime + usage.ru_stime
    if process.wait():
        message = f"`{program}` ended with {process.returncode} in {python}"
        raise RuntimeError(message)
    return (time.perf_counter() - started) * 1e3, used * 1e3


def _row(times: dict[str, list[tuple[float, float]]], clock: int) -> dict[str, Any]:
    without, plugin, control = ([t[clock] for t in times[name]] for name in ("without", "with", "control"))
    return {
        "rounds": len(without),
        "without_ms": statistics.median(without),
        "dvc_hf_ms": _difference(plugin, without),
        "control_ms": _difference(control, without),
    }


def _difference(these: list[float], those: list[float]) -> dict[str, float]:
    differences = sorted(a - b for a, b in zip(these, those, strict=True))
    count = len(differences)
    reach = math.ceil(0.98 * math.sqrt(count))  # 1.96 standard deviations of a binomial's half
    low, high = max(0, count // 2 - reach), min(count - 1, count // 2 + reach)
    return {"median": statistics.median(differences), "low": differences[low], "high": differences[high]}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Milliseconds."""
    heads = ("program", "clock", "rounds", "without", "dvc-hf adds (95 %)", "control adds (95 %)")
    layout = "{:>17} {:>10} {:>6} {:>10}  {:>26}  {:>26}"
    print(layout.format(*heads))
    for row in rows:
        adds = [_said(row[name]) for name in ("dvc_hf_ms", "control_ms")]
        print(
            layout.format(row["program"], row["clock"], row["rounds"], f"{row['without_ms']:.2f} ms", *adds)
        )


def _said(difference: dict[str, float]) -> str:
    return "{median:+.2f} ({low:+.2f} ... {high:+.2f})".format(**difference)


if __name__ == "__main__":
    main()
