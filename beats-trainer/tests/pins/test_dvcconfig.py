from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from beats_trainer.errors import PinError
from beats_trainer.pins.dvcconfig import DvcConfig

URL = "hf://datasets/alice/data"
HUB = f"['remote \"hub\"']\n    url = {URL}\n"
DIALECT = {
    "case": "[core]\n    remote = HUB\n" + HUB,
    "case of the section": f"[CORE]\n    Remote = hub\n['Remote \"Hub\"']\n    URL = {URL}\n",
    "comment": f"[core]\n    remote = hub  # the default\n['remote \"hub\"']\n    url = {URL}  # ours\n",
    "quotes": f"[core]\nremote = 'hub'\n['remote \"hub\"']\nurl = \"{URL}\"\n",
    "no quotes around the section": f'[core]\nremote = hub\n[remote "hub"]\nurl = {URL}\n',
    "indents": "[core]\nremote = hub\n" + HUB + "        jobs = 4\n",
    "another remote": "[core]\nremote = sub\n" + HUB + "['remote \"sub\"']\nurl = remote://hub\n",
    "below another": "[core]\nremote = sub\n" + HUB + "['remote \"sub\"']\nurl = remote://hub/a/b\n",
    "two steps": "[core]\nremote = c\n"
    + HUB
    + "['remote \"b\"']\nurl = remote://hub/b\n['remote \"c\"']\nurl = remote://b/c\n",
    "no default": HUB,
    "another store": "[core]\nremote = s3\n['remote \"s3\"']\nurl = s3://bucket/x\n",
    "nothing": "",
}
THEIRS = """
import json, sys
from dvc.config import Config
from dvc.fs import get_fs_config
config = Config(sys.argv[1], validate=False)
name = config.get("core", {}).get("remote")
found = get_fs_config(config, name=name) if name else {}
print(json.dumps([found.get("url"), found.get("endpointurl"), config.get("cache", {}).get("dir")]))
"""


@pytest.fixture
def levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The four files of a repository that git does not have."""
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "system"))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "global"))
    folder = tmp_path / "project" / ".dvc"
    for path in (folder, tmp_path / "system", tmp_path / "global"):
        path.mkdir(parents=True)
    return {
        "system": tmp_path / "system" / "config",
        "global": tmp_path / "global" / "config",
        "repo": folder / "config",
        "local": folder / "config.local",
    }


def as_dvc_reads(levels: dict[str, Path]) -> tuple[str | None, str | None, str | None]:
    pytest.importorskip("dvc")
    command = [sys.executable, "-c", THEIRS, str(levels["repo"].parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ.copy())
    assert done.returncode == 0, done.stderr
    url, endpoint, cache = json.loads(done.stdout)
    return url, endpoint, cache


@pytest.mark.parametrize("text", DIALECT.values(), ids=DIALECT)
def test_a_remote_is_the_one_that_dvc_finds(levels: dict[str, Path], text: str):
    levels["repo"].write_text(text)
    url, _, _ = as_dvc_reads(levels)
    ours = DvcConfig(levels["repo"].parent).find_remote()
    assert (str(ours.root) if ours else None) == (
        url.rstrip("/") if url and url.startswith("hf://") else None
    )


@pytest.mark.parametrize("named", ["system", "global", "repo", "local"])
@pytest.mark.parametrize("addressed", ["system", "global", "repo", "local"])
def test_the_levels_add_up_as_in_dvc(levels: dict[str, Path], named: str, addressed: str):
    for number, path in enumerate(levels.values()):
        path.write_text(f"['remote \"r{number}\"']\n    url = hf://alice/r{number}\n")
    with levels[named].open("a") as file:
        file.write("[core]\n    remote = r2\n[cache]\n    dir = ../elsewhere\n")
    with levels[addressed].open("a") as file:
        file.write("['remote  \"r2\"']\n    url = hf://alice/r2\n    endpointurl = http://127.0.0.1:1\n")
    url, endpoint, cache = as_dvc_reads(levels)
    config = DvcConfig(levels["repo"].parent)
    ours = config.find_remote()
    assert ours is not None
    assert (str(ours.root), ours.root.endpoint) == (url, endpoint)
    assert [folder.resolve() for folder in config.cache_folders()] == [Path(cache or "").resolve()]
    assert ours.root.by_user == (addressed != "repo")


def test_a_later_level_wins(levels: dict[str, Path]):
    for level, path in levels.items():
        path.write_text(
            f"[core]\n    remote = {level}\n['remote \"{level}\"']\n    url = hf://alice/{level}\n"
        )
    for level in ("local", "repo", "global", "system"):
        remote = DvcConfig(levels["repo"].parent).find_remote()
        assert remote is not None
        assert remote.name == level
        levels[level].unlink()


def test_remotes_that_name_one_another_are_refused(levels: dict[str, Path]):
    levels["repo"].write_text(
        "[core]\nremote = a\n['remote \"a\"']\nurl = remote://b\n['remote \"b\"']\nurl = remote://a\n"
    )
    with pytest.raises(PinError, match=r"url is 'remote://.'; expected a remote that leads to an address"):
        DvcConfig(levels["repo"].parent).find_remote()


def test_nothing_is_put_into_a_value(levels: dict[str, Path]):
    levels["repo"].write_text("[core]\nremote = hub\n['remote \"hub\"']\nurl = hf://alice/%(x)s\nx = data\n")
    with pytest.raises(PinError, match=r"expected a text without %\( \)"):
        DvcConfig(levels["repo"].parent).find_remote()


def test_a_config_made_to_be_slow_is_refused_at_once(levels: dict[str, Path]):
    levels["repo"].write_text("[" * 100_000)
    begun = time.monotonic()
    with pytest.raises(PinError, match=r"line 1 has 100,000 characters; expected at most 1,000"):
        DvcConfig(levels["repo"].parent)
    assert time.monotonic() - begun < 5


def test_a_repository_names_no_cache_on_another_machine(levels: dict[str, Path]):
    text = "[cache]\n    dir = //host/share\n"
    levels["repo"].write_text(text)
    assert DvcConfig(levels["repo"].parent).cache_folders() == []
    levels["global"].write_text(text)
    levels["repo"].write_text("")
    assert [folder.as_posix() for folder in DvcConfig(levels["repo"].parent).cache_folders()] == [
        "//host/share"
    ]
