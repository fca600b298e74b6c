"""The pre-flight against minihub, over TLS with a certificate that only SSL_CERT_FILE knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from minihub.testing import serve
from minihub.web.server import Certificate

ROOT = Path(__file__).parents[1]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Certificate]:
    """An authority of this test's own, and what it has signed."""
    authority, mine = tmp_path / "authority.pem", tmp_path / "mine.pem"
    made = trustme.CA()
    made.cert_pem.write_to_path(str(authority))
    made.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(mine))
    return authority, Certificate(mine, mine)


def pytest_of(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-m", "hub", "tests/preflight", *words]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "BEATS_", "PYTEST_"))}
    return subprocess.run(
        command, cwd=ROOT, env=inherited | env, capture_output=True, text=True, timeout=1100, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_step_passes_and_nothing_is_left_over(tmp_path: Path, certificate):
    authority, shown = certificate
    recording = tmp_path / "recording.jsonl"
    with serve(tmp_path / "hub", shown) as hub:
        hub.behave(redirects=True, lag_s=1)
        token = hub.user("alice")
        reading = hub.token("alice", role="read")
        done = pytest_of(
            {
                "HF_TOKEN": token,
                "HF_ENDPOINT": hub.endpoint,
                "SSL_CERT_FILE": str(authority),
                "REQUESTS_CA_BUNDLE": str(authority),
                "BEATS_TEST_REAL_HUB": "1",
                "HUB_CHECK_FILES": "60",
                "HUB_CHECK_RECORDING": str(recording),
                "HUB_CHECK_READ_TOKEN": reading,
            }
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "skipped" not in done.stdout.splitlines()[-1]
        assert not [
            name for kind in ("models", "datasets", "spaces", "buckets")
            for name in folders(tmp_path / "hub" / kind)
        ]  # fmt: skip
    assert "| step | outcome | seen | s |" in done.stdout
    text = recording.read_text()
    assert token not in text
    assert reading not in text
    assert "alice" not in text
    check_shapes([json.loads(line) for line in text.splitlines()])


def folders(place: Path) -> list[str]:
    return [str(path) for path in place.glob("*/*")] if place.is_dir() else []


def call_of(line: dict) -> tuple[str, str, int]:
    return line["method"], line["path"], line["status"]


def check_shapes(seen: list[dict]) -> None:
    """Each call that the real Hub is known to answer in a certain shape has it here."""
    known = json.loads((ROOT / "tests" / "preflight" / "known.json").read_text())["calls"]
    differences = []
    for call in known:
        found = [line for line in seen if call_of(line) == call_of(call)]
        if not found:
            differences.append(f"{call['method']} {call['path']} {call['status']} was never answered")
            continue
        headers, keys = set(found[0]["headers"]), set(found[0]["keys"])
        differences += [f"{call['path']}: no header {h}" for h in set(call["headers"]) - headers]
        differences += [f"{call['path']}: no key {k}" for k in set(call["keys"]) - keys]
    assert differences == []


def test_the_steps_are_collected_and_say_how_to_run_them():
    done = pytest_of({}, "--collect-only", "-q")
    steps = [line for line in done.stdout.splitlines() if "::test_" in line]
    assert len(steps) >= 14
    one = pytest_of({}, "-q", "-k", "test_1_")
    assert "needs a Hub: HF_TOKEN=... make hub-check" in one.stdout
