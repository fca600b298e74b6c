from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from beats_trainer.pins.pin import Pin
from beats_trainer.publish.card import write_card
from published import Published, beats

DATA = b"weights" * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "BEATs_iter3_plus_AS2M.pt").write_bytes(DATA)
    (folder / "openbeats.pt").write_bytes(b"other")
    (folder / "notes.txt").write_text("no checkpoint")
    return folder


def known(licence: str = "MIT") -> Pin:
    digests = {"sha256": hashlib.sha256(DATA).hexdigest()}
    return Pin(
        "BEATs_iter3_plus_AS2M",
        "x.pt",
        len(DATA),
        digests,
        description="the known one",
        meta={"licence": licence},
    )


def front(path: Path) -> dict[str, object]:
    return yaml.safe_load(path.read_text(encoding="utf-8").split("---\n")[1])


def test_the_card_has_size_and_both_digests_of_each_file(folder: Path):
    text = write_card(folder, [known()]).read_text(encoding="utf-8")
    for name in ("BEATs_iter3_plus_AS2M.pt", "openbeats.pt"):
        data = (folder / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() in text
        assert hashlib.md5(data).hexdigest() in text
        assert f"| {len(data):,} |" in text
    assert "notes.txt" not in text
    assert "README" not in text


def test_a_file_is_known_by_its_digest_and_not_by_its_name(folder: Path):
    text = write_card(folder, [known()]).read_text(encoding="utf-8")
    assert "| `BEATs_iter3_plus_AS2M.pt` | 7,000 | the known one | MIT |" in text
    assert "| `openbeats.pt` | 5 | not in the registry | not stated |" in text


def test_writing_the_card_again_gives_the_same_bytes(folder: Path):
    first = write_card(folder, [known()]).read_bytes()
    assert write_card(folder, [known()]).read_bytes() == first


def test_the_licence_is_that_of_the_files_where_they_agree(folder: Path):
    assert "license" not in front(write_card(folder, [known()]))
    (folder / "openbeats.pt").unlink()
    assert front(write_card(folder, [known()]))["license"] == "mit"
    assert front(write_card(folder, [known()], licence="CC-BY-4.0"))["license"] == "cc-by-4.0"
    assert "embeddings" in front(write_card(folder))["tags"]


def test_the_command_writes_the_card_and_prints_its_path(published: Published, folder: Path):
    result = beats(published, "card", str(folder), "--repo", "alice/beats", HF_HUB_OFFLINE="1")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(folder / "README.md")
    assert (
        "alice/beats openbeats.pt" in (folder / "README.md").read_text()
        or "alice/beats BEATs" in (folder / "README.md").read_text()
    )


def test_a_folder_that_is_not_there_is_named(published: Published):
    result = beats(published, "card", "nowhere")
    assert result.returncode == 1
    assert "there is no folder nowhere" in result.stderr
