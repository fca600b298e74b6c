from __future__ import annotations

import json
import random
import tarfile
from pathlib import Path

import pytest
from beats_trainer.errors import BeatsError, DigestMismatchError
from beats_trainer.publish import bundle
from published import Published, beats


@pytest.fixture
def made(published: Published) -> Path:
    path = published.folder / "bundle.tar"
    result = beats(published, "bundle", "create", "small", "-o", str(path))
    assert result.returncode == 0, result.stderr
    return path


def test_a_bundle_carries_weights_pins_card_and_manifest(made: Path, published: Published):
    with tarfile.open(made) as tar:
        assert set(tar.getnames()) == {"manifest.json", "README.md", "small.pt", "small.pt.dvc"}
    assert beats(published, "bundle", "verify", str(made)).returncode == 0


def test_what_is_installed_is_known_by_name_where_there_is_no_internet(made: Path, published: Published):
    elsewhere = {"HF_HOME": str(published.folder / "island"), "HF_HUB_OFFLINE": "1", "BEATS_PINS": ""}
    before = beats(published, "fetch", "small", **elsewhere)
    assert before.returncode == 1
    installed = beats(published, "bundle", "install", str(made), **elsewhere)
    assert installed.returncode == 0, installed.stderr
    after = beats(published, "fetch", "small", **elsewhere)
    assert after.returncode == 0, after.stderr
    assert Path(after.stdout.strip()).read_bytes() == published.data


def test_a_changed_byte_anywhere_is_refused_and_nothing_is_installed(made: Path, tmp_path: Path):
    good = made.read_bytes()
    # The archive ends in zeros that tar does not read.
    end = good.rstrip(b"\0").__len__()
    for position in random.Random(7).sample(range(1024, end), 40):
        changed = bytearray(good)
        changed[position] ^= 0x5A
        bad = tmp_path / "bad.tar"
        bad.write_bytes(changed)
        shelf = tmp_path / "shelf"
        try:
            bundle.install_bundle(bad, shelf)
        except BeatsError:
            assert list(shelf.iterdir()) == []
        else:
            # Only tar's own padding and file times may change without changing a file.
            installed = {path.name: path.read_bytes() for path in shelf.iterdir()}
            bundle.install_bundle(made, tmp_path / "right")
            assert installed == {path.name: path.read_bytes() for path in (tmp_path / "right").iterdir()}
            for path in shelf.iterdir():
                path.unlink()


def test_changed_weights_are_named(made: Path, published: Published, tmp_path: Path):
    at = made.read_bytes().index(published.data) + 1000
    with made.open("r+b") as file:
        file.seek(at)
        file.write(b"changed")
    with pytest.raises(DigestMismatchError, match=r"small.pt in .*bundle.tar has changed: expected"):
        bundle.install_bundle(made, tmp_path / "shelf")
    assert list((tmp_path / "shelf").iterdir()) == []


def test_a_bundle_that_was_cut_short_is_refused(made: Path, tmp_path: Path):
    for length in (0, 100, 5_000, made.stat().st_size // 2):
        short = tmp_path / "short.tar"
        short.write_bytes(made.read_bytes()[:length])
        with pytest.raises(BeatsError):
            bundle.verify_bundle(short)


@pytest.mark.parametrize(
    "name", ["../evil.pt", "/evil.pt", "a/b.pt", "..", "", "C:a.pt", "a\\b.pt", "a.pt.", "nul.pt", "\x1b.pt"]
)
def test_a_bundle_cannot_write_outside_the_shelf(tmp_path: Path, name: str):
    path = tmp_path / "evil.tar"
    manifest = {"format": bundle.FORMAT, "files": [{"path": name, "size": 0, "sha256": "0" * 64}]}
    with tarfile.open(path, "w") as tar:
        bundle._add(tar, bundle.MANIFEST, json.dumps(manifest).encode())
        bundle._add(tar, name or "x", b"")
    with pytest.raises(bundle.BundleError, match=r"files\[0\]\.path is .*; expected a plain file name"):
        bundle.install_bundle(path, tmp_path / "shelf")


def test_a_file_that_the_manifest_does_not_name_is_refused(made: Path):
    with tarfile.open(made, "a") as tar:
        bundle._add(tar, "stowaway.pt", b"x")
    with pytest.raises(bundle.BundleError, match=r"'stowaway.pt', which its manifest does not name"):
        bundle.verify_bundle(made)


def test_the_line_of_its_card_works_where_the_bundle_is_installed(made: Path):
    with tarfile.open(made) as tar:
        member = tar.extractfile("README.md")
        assert member is not None
        card = member.read().decode()
    assert 'BEATsFeatureExtractor("small")' in card
    assert "hf download" not in card
