"""Runs huggingface_hub's own tests against a fresh minihub and reports per module.

The tests come from the client's source distribution, fetched with pip when this runs. Which tests
are left out, and why, is in the `.txt` file beside this one that bears the client's version.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi
from minihub.testing import Hub, serve

HERE = Path(__file__).parent
DEFAULT_VERSION = "2.4.0"


@dataclass(frozen=True)
class Selection:
    """What runs of one version: modules, and what is left out of them for which reason."""

    modules: list[str]
    left_out: dict[str, str]
    production: tuple[str, ...] = ()  # modules whose tests for the real Hub run too: their repository is made


def read_selection(path: Path) -> Selection:
    """Lines `module NAME [production]`, and `PATTERN  # reason`: a node id or the start of one."""
    modules, left_out, production = [], {}, []
    for line in path.read_text().splitlines():
        entry, _, reason = line.partition("  # ")
        if entry.startswith("module "):
            _, name, *marks = entry.split()
            modules.append(name)
            production += [name] if marks == ["production"] else []
        elif entry.strip() and not entry.startswith("#"):
            if not reason:
                message = f"{path.name}: {entry!r} is left out without a reason. Write `  # why` after it."
                raise ValueError(message)
            left_out[entry.strip()] = reason.strip()
    return Selection(modules, left_out, tuple(production))


def fetch_tests(version: str, store: Path) -> Path:
    """The folder of the client's tests, from its source distribution."""
    store.mkdir(parents=True, exist_ok=True)
    archive = store / f"huggingface_hub-{version}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-binary", ":all:", "--dest", str(store), f"huggingface_hub=={version}"]
        subprocess.run(command, check=True)
    folder = store / f"huggingface_hub-{version}"
    if not folder.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(store, filter="data")
    return folder / "tests"


@contextlib.contextmanager
def hub_with_people(folder: Path) -> Iterator[dict[str, str]]:
    """A Hub with the accounts that the tests act for; gives what their conftest must know."""
    with serve(folder) as hub:
        tokens = {name: hub.user(name) for name in ("DummyUser", "OtherUser", "EnterpriseAdmin")}
        hub.state.accounts.rename_in_full("DummyUser", "Dummy User")
        hub.org("valid_org_hub", "DummyUser")
        hub.state.accounts.rename_in_full("valid_org_hub", "Dummy Hub Org")
        hub.org("EnterpriseOrgPrivate", "EnterpriseAdmin", private_by_default=True)
        facts = {
            "ENDPOINT_STAGING": hub.endpoint,
            "USER": "DummyUser",
            "FULL_NAME": "Dummy User",
            "TOKEN": tokens["DummyUser"],
            "OTHER_USER": "OtherUser",
            "OTHER_TOKEN": tokens["OtherUser"],
            "ENTERPRISE_USER": "EnterpriseAdmin",
            "ENTERPRISE_ORG": "EnterpriseOrgPrivate",
            "ENTERPRISE_TOKEN": tokens["EnterpriseAdmin"],
        }
        upload_public_file(hub)
        yield {f"CONFORMANCE_{name}": value for name, value in facts.items()}


def upload_public_file(hub: Hub) -> None:
    """The one repository of the real Hub that tests of Xet downloads read."""
    api = HfApi(endpoint=hub.endpoint, token=hub.user("celinah"))
    api.create_repo("celinah/dummy-xet-testing")
    content = bytes(range(256)) * 4000
    api.upload_file(
        repo_id="celinah/dummy-xet-testing", path_in_repo="dummy.safetensors", path_or_fileobj=content
    )


def environment(facts: dict[str, str], home: Path) -> dict[str, str]:
    """The environment of the tests: this Hub, and nothing else on the network."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "PYTEST_"))}
    endpoint = facts["CONFORMANCE_ENDPOINT_STAGING"]
    return {
        **kept,
        **facts,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": endpoint,
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DISABLE_SYMLINKS_IN_WINDOWS_TESTS": "1",
    }


def run_pytest(
    tests: Path, selection: Selection, env: dict[str, str], report: Path, extra: list[str], python: str
) -> None:
    """Run the modules; pytest's own words go to standard output."""
    (tests / "conftest.py").write_text((HERE / "suite_conftest.py").read_text())
    (tests / "__init__.py").touch()
    (tests.parent / "pytest.ini").write_text((HERE / "suite_pytest.ini").read_text())
    env = {**env, "CONFORMANCE_PRODUCTION": " ".join(selection.production)}
    command = [python, "-m", "pytest", "-q", "--no-header", "--tb=short"]
    command += [f"--junitxml={report}", "-c", "pytest.ini", "--rootdir=.", *extra]
    for pattern in selection.left_out:
        command += ["--deselect", f"tests/{pattern}"]
    command += [f"tests/{module}.py" for module in selection.modules if (tests / f"{module}.py").exists()]
    subprocess.run(command, cwd=tests.parent, env=env, check=False)


def count(report: Path) -> dict[str, Counter[str]]:
    """Outcomes by module, from pytest's report."""
    outcomes: dict[str, Counter[str]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        match = re.match(r"tests\.(\w+)", case.get("classname", ""))
        kinds = {child.tag for child in case}
        outcome = next((kind for kind in ("error", "failure", "skipped") if kind in kinds), "passed")
        outcomes.setdefault(match[1] if match else "?", Counter())[outcome] += 1
    return outcomes


def show(outcomes: dict[str, Counter[str]], selection: Selection) -> int:
    """Print the table; returns how many tests did not pass."""
    left_out = Counter(pattern.partition(".py")[0] for pattern in selection.left_out)
    print(f"{'module':34}{'passed':>8}{'failed':>8}{'skipped':>9}{'left out (entries)':>20}")
    for module in selection.modules:
        got = outcomes.get(module, Counter())
        failed = got["failure"] + got["error"]
        print(f"{module:34}{got['passed']:8}{failed:8}{got['skipped']:9}{left_out[module]:20}")
    total = sum(outcomes.values(), Counter[str]())
    failed = total["failure"] + total["error"]
    print(f"{total['passed']} passed, {failed} failed")
    return failed


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", default=DEFAULT_VERSION, help="of huggingface_hub")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has that client")
    parser.add_argument("--store", type=Path, default=Path("build/conformance"), help="for the sdist")
    parser.add_argument("--at-least", type=int, default=0, help="fail when fewer tests pass")
    parser.add_argument("--module", action="append", help="run only this module")
    parser.add_argument("extra", nargs="*", help="further arguments for pytest, after --")
    given = parser.parse_args()
    selection = read_selection(HERE / f"huggingface_hub-{given.version}.txt")
    if given.module:
        selection = replace(selection, modules=given.module)
    tests = fetch_tests(given.version, given.store.resolve())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        home = Path(temporary)
        report = home / "report.xml"
        with hub_with_people(home / "hub") as facts:
            env = environment(facts, home)
            run_pytest(tests, selection, env, report, given.extra, given.python)
        outcomes = count(report)
    failed = show(outcomes, selection)
    passed = sum(got["passed"] for got in outcomes.values())
    sys.exit(1 if failed or passed < given.at_least else 0)


if __name__ == "__main__":
    main()
