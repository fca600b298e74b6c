"""Each form in which DVC writes a `.dvc` file, and where its bytes are then looked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from beats_trainer.errors import FetchError, PinError
from beats_trainer.hub.fetch import fetch_checkpoint
from beats_trainer.pins.dvcfile import read_pin
from beats_trainer.pins.folders import shelf_copy
from beats_trainer.pins.pin import FolderPin, Pin
from beats_trainer.pins.registry import Registry

CONFIG = """[core]
    remote = hub
['remote "hub"']
    url = hf://datasets/alice/data/objects
['remote "versions"']
    url = hf://datasets/alice/versions
    version_aware = true
['remote "tree"']
    url = hf://datasets/alice/tree@dev
    worktree = true
['remote "s3"']
    url = s3://bucket
"""
MD5 = "ab" + "c" * 30
SHA256 = "d" * 64
COMMIT = "f" * 39 + "1"


def written(folder: Path, text: str, name: str = "m.pt.dvc") -> Path:
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    (folder / ".dvc" / "config").write_text(CONFIG)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def file_pin(path: Path) -> Pin:
    pin = read_pin(path)
    assert isinstance(pin, Pin)
    return pin


def folder_pin(path: Path) -> FolderPin:
    pin = read_pin(path)
    assert isinstance(pin, FolderPin)
    return pin


@pytest.mark.parametrize(
    ("hash_line", "path"), [("  hash: md5\n", f"files/md5/ab/{'c' * 30}"), ("", f"ab/{'c' * 30}")]
)
def test_an_object_lies_where_its_version_of_dvc_put_it(tmp_path: Path, hash_line: str, path: str):
    pin = file_pin(written(tmp_path, f"outs:\n- md5: {MD5}\n  size: 5\n{hash_line}  path: m.pt\n"))
    assert str(pin.sources[0]) == f"hf://datasets/alice/data/objects/{path}"
    folder = folder_pin(written(tmp_path, f"outs:\n- md5: {MD5}.dir\n{hash_line}  path: m\n"))
    assert str(folder.listing.sources[0]) == f"hf://datasets/alice/data/objects/{path}.dir"
    entry = folder.entries(b'[{"md5": "%s", "relpath": "a.pt"}]' % MD5.encode())[0]
    assert str(entry.sources[0]) == f"hf://datasets/alice/data/objects/{path}"


def test_a_version_is_the_file_itself_at_its_commit(tmp_path: Path):
    text = (
        f"outs:\n- md5: {MD5}\n  size: 5\n  hash: md5\n  path: m.pt\n  cloud:\n    versions:\n"
        f"      etag: {SHA256}\n      version_id: {COMMIT}\n"
    )
    pin = file_pin(written(tmp_path, text, "models/m.pt.dvc"))
    assert str(pin.sources[0]) == f"hf://datasets/alice/versions@{COMMIT}/models/m.pt"
    assert pin.digests == {"md5": MD5, "sha256": SHA256}


def test_a_version_on_another_store_is_no_place_and_its_tag_no_digest(tmp_path: Path):
    text = f"outs:\n- path: m.pt\n  cloud:\n    s3:\n      etag: {SHA256}\n      version_id: x\n"
    pin = file_pin(written(tmp_path, text))
    assert (pin.sources, pin.digests) == ((), {})


def test_a_tree_shows_the_file_under_its_name(tmp_path: Path):
    text = f"wdir: ..\nouts:\n- md5: {MD5}\n  hash: md5\n  path: data/m.pt\n  remote: tree\n"
    pin = file_pin(written(tmp_path, text, "pins/m.pt.dvc"))
    assert str(pin.sources[0]) == "hf://datasets/alice/tree@dev/data/m.pt"


def test_a_folder_may_name_its_files_itself(tmp_path: Path):
    row = f"  - relpath: a/m.pt\n    md5: {MD5}\n    size: 5\n    cloud:\n      versions:\n"
    other = f"  - relpath: notes.txt\n    md5: {MD5}\n"
    text = f"outs:\n- path: ck\n  files:\n{row}        version_id: {COMMIT}\n{other}"
    path = written(tmp_path, text)
    found = Registry([path]).find("a/m")  # nobody had to bring a listing
    assert str(found.sources[0]) == f"hf://datasets/alice/versions@{COMMIT}/ck/a/m.pt"
    assert (found.filename, found.size, found.digests) == ("m.pt", 5, {"md5": MD5})
    assert len(folder_pin(path).held) == 1


FAULTS = {
    f"outs:\n- path: ../m.pt\n  md5: {MD5}\n  remote: tree\n": "expected a path inside the DVC repository",
    f"wdir: ../..\nouts:\n- path: m.pt\n  md5: {MD5}\n  remote: tree\n": "expected a path inside the DVC",
    "outs:\n- path: m.pt\n  cloud:\n    versions:\n      version_id: a..b\n": r"version_id is 'a\.\.b'",
    "outs:\n- path: m.pt\n  cloud: 5\n": r"outs\[0\]\.cloud is 5; expected a table",
    "outs:\n- path: m\n  files: 5\n": r"outs\[0\]\.files is 5; expected a list",
    "outs:\n- path: m\n  files:\n  - relpath: ../m.pt\n": r"files\[0\]\.relpath is '\.\./m\.pt'; exp",
    f"wdir: [a]\nouts:\n- path: m.pt\n  md5: {MD5}\n  remote: tree\n": r"wdir is \['a'\]; expected a text",
    "outs:\n- path: m.pt\ndeps:\n- path: m.pt\n  repo: 5\n": r"deps\[0\]\.repo is 5; expected a table",
}


@pytest.mark.parametrize(("text", "said"), FAULTS.items())
def test_a_fault_names_file_and_field(tmp_path: Path, text: str, said: str):
    with pytest.raises(PinError, match=rf"cannot read the pin .*m\.pt\.dvc: .*{said}"):
        read_pin(written(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        f"deps:\n- path: m.pt\n  repo: {{url: x}}\nouts:\n- path: m.pt\n  md5: {MD5}\n  hash: md5\n",
        f"outs:\n- path: m.pt\n  md5: {MD5}\n  hash: md5\n  remote: s3\n",
    ],
    ids=["of another repository", "of another store"],
)
def test_what_no_hub_has_is_brought_by_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    path = written(tmp_path, text)
    monkeypatch.setenv("BEATS_PINS", str(path))
    with pytest.raises(FetchError, match="Bring it with `dvc pull`"):
        fetch_checkpoint("m", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("layout", ["files/md5/", ""])
@pytest.mark.parametrize("named", ["", "../shared", "{absolute}"])
def test_the_cache_that_dvc_uses_is_looked_into(tmp_path: Path, layout: str, named: str):
    data = b"weights"
    md5 = hashlib.md5(data).hexdigest()
    path = written(tmp_path, f"outs:\n- path: m.pt\n  md5: {md5}\n  hash: md5\n")
    folder = named.format(absolute=(tmp_path / "far").as_posix())
    if folder:
        (tmp_path / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {folder}\n")
    stored = tmp_path / ".dvc" / (folder or "cache") / f"{layout}{md5[:2]}" / md5[2:]
    stored.parent.mkdir(parents=True)
    stored.write_bytes(data)
    found = shelf_copy(file_pin(path))
    assert found is not None
    assert found.samefile(stored)
