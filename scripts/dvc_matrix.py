"""DVC's conformance suite against dvc-hf, once for each of several versions of DVC.

    python scripts/dvc_matrix.py [VERSION ...] [--jobs N] [--json FILE] [--fresh]

Each version has an environment of its own in build/matrix, with the newest dependencies that it allows: what
`pip install dvc==VERSION dvc-hf` gives a user today, but for BOUNDS. `newest` is what the package index has.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUITE = "dvc-hf/tests/test_conformance.py"
VERSIONS = ("3.50.1", "3.55.2", "3.60.1", "3.65.0", "newest")
TOOLS = ("pytest", "pytest-mock", "pytest-test-utils", "pytest-timeout", "pytest-xdist")
# pathspec 1 has lost a name that DVC before 3.66 asks for: with it these versions read no .dvcignore.
BOUNDS = ("pathspec<1",)
OUTCOMES = ("passed", "xpassed", "xfailed", "skipped", "failed", "errors")


@dataclass(frozen=True)
class Row:
    """How the suite ended with one version of DVC."""

    dvc: str
    dvc_data: str
    outcomes: dict[str, int]
    status: int

    def __str__(self) -> str:
        counts = "".join(f"{self.outcomes.get(name, 0):>9}" for name in OUTCOMES)
        return f"{self.dvc:>10} {self.dvc_data:>10}{counts}"


def main() -> None:
    """Run the suite with each version, print the table, fail if any version did."""
    options = _options()
    rows = []
    print(f"{'dvc':>10} {'dvc-data':>10}" + "".join(f"{name:>9}" for name in OUTCOMES), flush=True)
    for version in options.versions or VERSIONS:
        rows.append(run(version, options))
        print(rows[-1], flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")
    sys.exit(any(row.status for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"default: {' '.join(VERSIONS)}")
    parser.add_argument("--jobs", default="2", help="processes of pytest (default: 2)")
    parser.add_argument("--json", metavar="FILE", help="write the table there too")
    parser.add_argument("--fresh", action="store_true", help="make the environments anew")
    return parser.parse_args()


def run(version: str, options: argparse.Namespace) -> Row:
    """Make the environment of a version and run the suite in it; the full log stays beside it."""
    folder = ROOT / "build" / "matrix" / version
    python = environment(version, folder, fresh=options.fresh)
    command = [python, "-m", "pytest", SUITE, "-q", "-n", options.jobs, "-W", "default"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    log = folder / "suite.log"
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    outcomes = counted(done.stdout)
    if done.returncode or not outcomes:
        print(f"{version}: pytest ended with {done.returncode}; its output: {log}", file=sys.stderr)
    return Row(installed(python, "dvc"), installed(python, "dvc-data"), outcomes, done.returncode)


def environment(version: str, folder: Path, *, fresh: bool = False) -> Path:
    """The Python that has this version of DVC, and dvc-hf and minihub as they are in the repository now."""
    bin_folder = "Scripts" if sys.platform == "win32" else "bin"
    python = folder / bin_folder / "python"
    if fresh or not python.exists():
        venv.create(folder, clear=True, with_pip=True, symlinks=sys.platform != "win32")
    wanted = ("dvc",) if version == "newest" else (f"dvc=={version}", *BOUNDS)
    _install(python, *wanted, *TOOLS, "./minihub", "./dvc-hf")
    _install(python, "--force-reinstall", "--no-deps", "./minihub", "./dvc-hf")
    return python


def _install(python: Path, *what: str) -> None:
    command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *what]
    subprocess.run(command, cwd=ROOT, check=True)


def installed(python: Path, distribution: str) -> str:
    """The version of a distribution in an environment."""
    program = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    return subprocess.check_output([python, "-c", program, distribution], text=True).strip()


def counted(output: str) -> dict[str, int]:
    """The counts in pytest's last line: `45 passed, 2 xfailed in 9.8s`."""
    last = output.strip().splitlines()[-1] if output.strip() else ""
    counts = {name: int(count) for count, name in re.findall(r"(\d+) ([a-z]+)", last)}
    counts["errors"] = counts.pop("errors", 0) + counts.pop("error", 0)
    return {name: counts[name] for name in OUTCOMES if counts.get(name)}


if __name__ == "__main__":
    main()
