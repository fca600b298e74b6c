"""`beats doctor` of an installation that is well, and of one where everything is wrong."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.cli import doctor
from beats_trainer.cli.doctor import Line, examine
from huggingface_hub import constants
from published import Published, beats, dvc_folder


def by_name(lines: list[Line]) -> dict[str, Line]:
    return {line.what: line for line in lines}


def test_where_everything_is_wrong_every_line_fails_and_has_its_remedy(published: Published, monkeypatch):
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", missing)
    monkeypatch.setattr(doctor, "sys", SimpleNamespace(version_info=(3, 10, 0)))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("BEATS_PINS", "/nowhere")
    monkeypatch.setenv("BEATS_CHECKPOINTS", "/nowhere")
    lines = by_name(list(examine()))
    well = {name for name, line in lines.items() if line.ok}
    assert well == {*doctor.OPTIONAL, "token"}, "what may be missing, and that there is no token"
    assert {name for name, line in lines.items() if not line.ok and not line.remedy} == set()
    assert "0.0 GB free" in lines["cache"].found
    assert "http://127.0.0.1:9" in lines["endpoint"].found
    assert "/nowhere, which does not exist" in lines["pins"].found


def test_a_hub_that_does_not_answer_is_no_fault_of_the_token(published: Published):
    away = beats(published, "doctor", HF_TOKEN=published.token, HF_ENDPOINT="http://127.0.0.1:9")
    assert "ok    token: present, not tried: the Hub gives no answer about it" in away.stdout
    assert published.token not in away.stdout + away.stderr


def test_what_is_here_of_a_pinned_folder_is_verified_too(published: Published, monkeypatch):
    pin = dvc_folder(published, {"openbeats.pt": b"b" * 2000})
    monkeypatch.setenv("BEATS_PINS", str(pin))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(published.cache))
    path = fetch_checkpoint("openbeats")
    assert "openbeats" in doctor._cached().found
    path.resolve().write_bytes(b"?" * 2000)
    assert not doctor._cached().ok
    assert doctor._cached().remedy.startswith("Run `beats verify`")
    assert fetch_checkpoint("openbeats").read_bytes() == b"b" * 2000
    assert doctor._cached().ok


def test_a_pin_that_cannot_be_read_is_told_of_and_the_rest_is_looked_at(published: Published, monkeypatch):
    bad = published.folder / "bad.dvc"
    bad.write_text("outs: 5\n")
    monkeypatch.setenv("BEATS_PINS", str(bad))
    line = doctor._pins()
    assert not line.ok
    assert "bad.dvc: outs is 5; expected a list" in line.found
    assert line.remedy
    assert doctor._cached().ok


@pytest.mark.parametrize("flag", ["--offline", "HF_HUB_OFFLINE"])
def test_offline_no_hub_is_asked(published: Published, flag: str):
    options, env = ([flag], {}) if flag.startswith("-") else ([], {flag: "1"})
    done = beats(published, "doctor", *options, **env)
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAIL")}
    assert failed == (set() if find_spec("torch") else {"torch:", "gpu:"}), "make client-matrix has no torch"
    assert len(list(published.hub.requests)) == 0
