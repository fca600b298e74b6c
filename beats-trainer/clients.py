"""The fetch tests with each huggingface_hub that is supported, each in an environment of its own.

    python beats-trainer/clients.py [--only RANGE] [--json FILE] [-- PYTEST ARGUMENTS]

The environments lie in build/clients and are kept. They hold what fetching needs, and no torch: the
tests of publishing, which need it, are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "build" / "clients"
CLIENTS = ("==0.34.*", ">=1,<2", "==2.4.*")
TESTS = "beats-trainer/tests/hub"
NEED_TORCH = ("test_publish.py", "test_load.py", "test_signing.py")
LEFT_OUT = ("torch",)  # the fetch tests need none, and it is the largest by far
VARIED = ("huggingface_hub", "hf-xet")  # the constraints name one version of these
TEST_TOOLS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "requests")


@dataclass(frozen=True)
class Row:
    """What one client made of the tests."""

    asked: str
    version: str
    http: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def main() -> None:
    """Runs every client and prints the table; exit status 1 if any test failed."""
    options = _options()
    rows = [run(asked, options.arguments) for asked in options.only or CLIENTS]
    print_table(rows)
    if options.json:
        text = json.dumps([asdict(row) for row in rows], indent=1)
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    if any(row.failed or not row.passed for row in rows):
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", action="append", metavar="RANGE", help="one client, such as '==0.34.*'")
    parser.add_argument("--json", help="where to write the table")
    parser.add_argument("arguments", nargs="*", help="further arguments of pytest")
    return parser.parse_args()


def run(asked: str, arguments: list[str]) -> Row:
    """The tests with one client."""
    python = environment(asked)
    version, http = _client(python)
    print(f"huggingface_hub {version} ({http})", flush=True)
    started = time.monotonic()
    outcomes = _run_tests(python, arguments)
    failed = outcomes["failure"] + outcomes["error"]
    seconds = round(time.monotonic() - started, 1)
    return Row(asked, version, http, outcomes["passed"], failed, outcomes["skipped"], seconds)


def environment(asked: str) -> Path:
    """The Python of an environment with this client, made when it is not there."""
    folder = PLACE / "".join(c if c.isalnum() else "_" for c in asked)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = folder / "stamp", "\n".join(_requirements(asked))
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        venv.create(folder, with_pip=True, clear=True)
        _install(python, folder, asked)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _requirements(asked: str) -> list[str]:
    needed = [f"huggingface_hub{asked}", *TEST_TOOLS]
    for project in ("beats-trainer", "minihub"):
        document = tomllib.loads((ROOT / project / "pyproject.toml").read_text(encoding="utf-8"))
        needed += [need for need in document["project"]["dependencies"] if not need.startswith(LEFT_OUT)]
    return needed


def _install(python: Path, folder: Path, asked: str) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(line for line in lines if not line.startswith(VARIED)), encoding="utf-8")
    pip = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        str(constraints),
    ]
    subprocess.run([*pip, "hatchling", "editables", *_requirements(asked)], check=True)
    ours = [word for project in ("minihub", "beats-trainer") for word in ("-e", str(ROOT / project))]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", *ours], check=True)


def _client(python: Path) -> tuple[str, str]:
    """Its version, and the HTTP library that it brings."""
    code = (
        "import huggingface_hub as h; from huggingface_hub.utils import get_session as s;"
        "print(h.__version__, type(s()).__module__.partition('.')[0])"
    )
    done = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    version, http = done.stdout.split()
    return version, http


def _run_tests(python: Path, arguments: list[str]) -> Counter[str]:
    """How many tests ended how."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [str(python), "-m", "pytest", "-q", "--no-header", "--tb=short", f"--junitxml={report}"]
        command += [f"--ignore={TESTS}/{name}" for name in NEED_TORCH]
        subprocess.run([*command, TESTS, *arguments], cwd=ROOT, check=False)
        if not report.is_file():
            return Counter(error=1)
        return Counter(_outcome(case) for case in ET.parse(report).getroot().iter("testcase"))


def _outcome(case: ET.Element) -> str:
    kinds = {child.tag for child in case}
    return next((kind for kind in ("error", "failure", "skipped") if kind in kinds), "passed")


def print_table(rows: list[Row]) -> None:
    """One line a client."""
    print(
        f"\n{'asked':10}{'huggingface_hub':>17}{'HTTP':>10}{'passed':>8}{'failed':>8}{'skipped':>9}{'s':>8}"
    )
    for row in rows:
        counts = f"{row.passed:8}{row.failed:8}{row.skipped:9}{row.seconds:8.1f}"
        print(f"{row.asked:10}{row.version:>17}{row.http:>10}{counts}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
