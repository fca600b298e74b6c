"""A namespace on a Hub, scratch repositories that always go, and a table of what was seen."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # scratch.py

from scratch import Account  # noqa: E402

HOW = "needs a Hub: HF_TOKEN=... make hub-check, with a token that may write"
ROWS = pytest.StashKey[list[tuple[str, str, str, float]]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = os.environ.get("BEATS_TEST_REAL_HUB") == "1" and os.environ.get("HF_TOKEN")
    for item in items:
        if not wanted and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=HOW))


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """The user of HF_TOKEN, at HF_ENDPOINT; what was made is deleted, after a failure and Ctrl-C too."""
    token = os.environ["HF_TOKEN"]
    api = HfApi(endpoint=constants.ENDPOINT, token=token)
    namespace = os.environ.get("HUB_CHECK_NAMESPACE") or api.whoami()["name"]
    account = Account(api, token, namespace, constants.ENDPOINT)
    try:
        yield account
    finally:
        left = account.clear()
    assert left == [], f"delete these by hand: {left}"


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all processes note what they ask."""
    chosen = os.environ.get("HUB_CHECK_RECORDING")
    path = Path(chosen) if chosen else tmp_path_factory.mktemp("recording") / "recording.jsonl"
    path.touch()
    return path


@pytest.fixture
def settler(newcomer: Any, account: Account, recording: Path) -> Callable[..., Any]:
    """Makes somebody with an empty home, whose every request is noted."""

    def make(name: str, **variables: str) -> Any:
        paths = [str(HERE / "recorder"), os.environ.get("PYTHONPATH", "")]
        known = {k: os.environ[k] for k in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if k in os.environ}
        return newcomer(
            name,
            **known,
            HF_TOKEN=account.token,
            HF_ENDPOINT=account.endpoint,
            HUB_CHECK_RECORDING=str(recording),
            HUB_CHECK_OWNER=account.namespace,
            HUB_CHECK_NAMES=",".join(name for _, name in account.made),
            PYTHONPATH=os.pathsep.join(filter(None, paths)),
            **variables,
        )

    return make


@pytest.fixture
def begin(settler: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a project of DVC's whose remote is a scratch repository."""

    def make(name: str, repo: str, url: str = "hf://datasets/", **options: str) -> Any:
        user = settler(name)
        user = replace(user, env={**user.env, "HUB_CHECK_NAMES": repo.partition("@")[0]})
        user.types("git", "init", "--quiet", "--initial-branch", "main")
        user.types("dvc", "init", "--quiet")
        user.types("dvc", "remote", "add", "--quiet", "--default", "hub", f"{url}{repo}")
        for option, value in options.items():
            user.types("dvc", "remote", "modify", "--quiet", "hub", option, value)
        return user

    return make


@pytest.fixture
def see(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Notes what a step saw, for the table."""
    seen: list[str] = []
    started = time.monotonic()
    yield seen.append
    rows = request.config.stash.setdefault(ROWS, [])
    step = request.node.name.removeprefix("test_").replace("_", " ")
    report = getattr(request.node, "outcome", "")
    rows.append((step, report, "; ".join(seen), time.monotonic() - started))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call":
        item.outcome = report.outcome  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table that the pre-flight ends in."""
    rows = config.stash.get(ROWS, [])
    if rows:
        terminalreporter.section("pre-flight")
        terminalreporter.write_line("| step | outcome | seen | s |\n|---|---|---|---|")
        for step, outcome, seen, seconds in rows:
            terminalreporter.write_line(f"| {step} | {outcome} | {seen} | {seconds:.1f} |")
