"""A value knows who said it, through whatever DVC does with it."""

import copy
import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from dvc_hf.hooks import config as config_module
from dvc_hf.hub import credentials, provenance
from dvc_hf.hub.provenance import Said, Source

SAID = Said("http://example.org", Source("global", "config"))


@pytest.mark.parametrize("change", [copy.copy, copy.deepcopy, lambda said: pickle.loads(pickle.dumps(said))])
def test_a_copy_knows_it_too(change: Any) -> None:
    assert change(SAID) == "http://example.org"
    assert change(SAID).source == SAID.source


def test_a_value_is_what_it_says() -> None:
    assert SAID == "http://example.org"
    assert hash(SAID) == hash("http://example.org")
    assert type(provenance.unmark_source({"endpointurl": SAID})["endpointurl"]) is str


@pytest.mark.parametrize(("level", "is_users"), [("system", True), ("global", True), ("repo", False)])
def test_what_is_outside_of_git_is_the_users(level: str, is_users: bool) -> None:
    assert provenance.is_users(Said("x", Source(level))) is is_users


def test_what_carries_no_level_is_not_the_users() -> None:
    assert not provenance.is_users("http://example.org")
    assert not provenance.are_of_one_source("http://example.org", "hf_token")


def test_an_index_that_cannot_be_read_shows_nothing_to_be_the_users(tmp_path: Path) -> None:
    import subprocess

    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    config = tmp_path / ".dvc" / "config.local"
    assert provenance.is_users(Said("x", Source("local", str(config))))
    (tmp_path / ".git" / "index").write_bytes(b"no index")
    assert not provenance.is_users(Said("x", Source("local", str(config))))


def test_an_address_of_another_kind_of_remote_on_the_command_line_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provenance, "typed_endpoints", set())
    typed = Namespace(fs_config={"endpointurl": "localhost:9000"}, remote_config=None)
    assert config_module.parse_args(lambda: typed) is typed
    assert credentials.choose_credential("https://example.org", None).refusal
