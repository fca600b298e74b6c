"""Bundles that a stranger made: nothing of them is believed, and nothing on the shelf is lost to them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from beats_trainer.errors import BeatsError, BundleError
from beats_trainer.publish import bundle
from published import Published, beats, upload

DATA = b"weights" * 100
HUGE = 200 << 20


def pin_of(name: str, data: bytes, **meta: Any) -> bytes:
    """The pin of a checkpoint, as `beats bundle create` writes it, changed as the test likes."""
    known = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} | meta
    out = {"path": name, "md5": hashlib.md5(data).hexdigest()}
    return json.dumps({"outs": [out], "meta": known}).encode()


def files_of(name: str = "a.pt", data: bytes = DATA, **meta: Any) -> dict[str, bytes]:
    return {f"{name}.dvc": pin_of(name, data, **meta), name: data}


def listed(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [
        {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    ]


def write(path: Path, files: dict[str, bytes], manifest: object = None) -> Path:
    """A bundle of these files; what its manifest says of them is true unless it is given."""
    said = manifest if manifest is not None else {"format": bundle.FORMAT, "files": listed(files)}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        bundle._add(tar, bundle.MANIFEST, said if isinstance(said, bytes) else json.dumps(said).encode())
        for name, data in files.items():
            bundle._add(tar, name, data)
    return path


def refused(path: Path, shelf: Path, named: str) -> None:
    """Both commands refuse it, for this reason, and nothing of it is on the shelf."""
    before = contents(shelf)
    for command in (lambda: bundle.verify_bundle(path), lambda: bundle.install_bundle(path, shelf)):
        with pytest.raises(BundleError, match=named) as caught:
            command()
        assert path.name in str(caught.value)
        assert len(str(caught.value)) < 1000
    assert contents(shelf) == before


def contents(shelf: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shelf.iterdir()} if shelf.exists() else {}


def test_a_bundle_of_these_files_is_taken(tmp_path: Path):
    path = write(tmp_path / "b.tar", files_of())
    bundle.verify_bundle(path)
    bundle.install_bundle(path, tmp_path / "shelf")
    assert contents(tmp_path / "shelf") == files_of()


SHA = hashlib.sha256(DATA).hexdigest()
MANIFESTS = {
    "a list": (b"[]", "the whole is"),
    "nothing": (b"null", "has the format"),
    "depth": (b"[" * 100_000, "nested without end"),
    "no JSON": (b"<html>", "expected JSON"),
    "no text": (b"\xff", "no UTF-8"),
    "another format": ({"format": "beats-bundle 9", "files": []}, "has the format 'beats-bundle 9'"),
    "a format that is a list": ({"format": [], "files": []}, r"format is \[\]; expected a text"),
    "files that are a table": ({"format": bundle.FORMAT, "files": {"a": 1}}, "files is .*; expected a list"),
    "a file that is a text": (
        {"format": bundle.FORMAT, "files": ["a"]},
        r"files\[0\] is 'a'; expected a table",
    ),
    "an endless size": (
        b'{"format": "%s", "files": [{"path": "a", "size": 1e999, "sha256": "x"}]}' % bundle.FORMAT.encode(),
        r"files\[0\]\.size is inf; expected a whole number",
    ),
    "a size below nothing": (
        {"format": bundle.FORMAT, "files": [{"path": "a", "size": -1, "sha256": SHA}]},
        r"files\[0\]\.size is -1",
    ),
    "no size": (
        {"format": bundle.FORMAT, "files": [{"path": "a", "sha256": SHA}]},
        r"files\[0\]\.size is None",
    ),
    "no digest": (
        {"format": bundle.FORMAT, "files": [{"path": "a", "size": 1, "sha256": "x"}]},
        r"files\[0\]\.sha256 is 'x'; expected a sha256",
    ),
    "a file twice": (
        {"format": bundle.FORMAT, "files": [{"path": "a.pt", "size": len(DATA), "sha256": SHA}] * 2},
        "two files of .* are called a.pt",
    ),
    "a file twice but for case": (
        {
            "format": bundle.FORMAT,
            "files": [{"path": name, "size": len(DATA), "sha256": SHA} for name in ("a.pt", "A.pt")],
        },
        "two files of .* are called A.pt, a.pt",
    ),
    "more bytes than it has": (
        {"format": bundle.FORMAT, "files": [{"path": "a.pt", "size": 10**15, "sha256": SHA}]},
        "announces 1,000,000,000,000,000 bytes, and has",
    ),
    "another size": (
        {"format": bundle.FORMAT, "files": [{"path": "a.pt", "size": 4, "sha256": SHA}]},
        "a.pt in .* has 700 bytes; expected 4, as the manifest says",
    ),
    "itself": (
        {"format": bundle.FORMAT, "files": [{"path": "manifest.json", "size": 4, "sha256": SHA}]},
        r"files\[0\]\.path is 'manifest.json'",
    ),
}


@pytest.mark.parametrize(("manifest", "named"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_manifest_of_another_shape_is_named_with_its_field(tmp_path: Path, manifest: object, named: str):
    refused(write(tmp_path / "b.tar", {"a.pt": DATA}, manifest), tmp_path / "shelf", named)


PINS: dict[str, tuple[dict[str, bytes], str]] = {
    "another sha256": (
        files_of(sha256="2" * 64),
        "a.pt in .* is not what its pin says: expected sha256 2222",
    ),
    "another size": (files_of(size=99), "is not what its pin says: expected 99 bytes"),
    "another md5": (
        {
            "a.pt.dvc": pin_of("a.pt", DATA).replace(b'"md5": "', b'"md5": "' + b"0" * 32 + b'", "x": "'),
            "a.pt": DATA,
        },
        "is not what its pin says: expected md5 0000",
    ),
    "no digest": ({"a.pt.dvc": b"outs:\n- path: a.pt\n", "a.pt": DATA}, "expected a digest, got 700 bytes"),
    "of another file": (
        {"a.pt.dvc": pin_of("b.pt", DATA), "a.pt": DATA},
        "outs is .*; expected the file a.pt",
    ),
    "of a folder": (
        {"a.pt.dvc": b"outs:\n- path: a.pt\n  md5: %s.dir\n" % (b"0" * 32), "a.pt": DATA},
        "outs is .*; expected the file a.pt",
    ),
    "no pin": ({"a.pt": DATA}, "holds no a.pt.dvc; expected every checkpoint with its pin"),
    "no checkpoint": ({"a.pt.dvc": pin_of("a.pt", DATA)}, "holds no a.pt; expected every checkpoint"),
    "no YAML": ({"a.pt.dvc": b"{", "a.pt": DATA}, "cannot read the pin a.pt.dvc in .*b.tar: line 1"),
    "a wrong field": (files_of(sources=5), "cannot read the pin a.pt.dvc in .*b.tar: meta.sources is 5"),
    "a very long one": (
        {"a.pt.dvc": b"#" * 300_000, "a.pt": DATA},
        "cannot read the pin a.pt.dvc in .* it has 300,000 bytes",
    ),
}


@pytest.mark.parametrize(("files", "named"), PINS.values(), ids=PINS.keys())
def test_every_checkpoint_is_compared_with_its_pin(tmp_path: Path, files: dict[str, bytes], named: str):
    refused(write(tmp_path / "b.tar", files), tmp_path / "shelf", named)


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path):
    path = write(tmp_path / "b.tar", files_of())
    with tarfile.open(path, "a") as tar:
        bundle._add(tar, "a.pt", DATA)
    refused(path, tmp_path / "shelf", "holds 'a.pt', twice")


def sparse_in_its_body(tar: tarfile.TarFile) -> None:
    body = f"1\n{HUGE - 1}\n1\n".encode()
    info = tarfile.TarInfo("GNUSparseFile.0/a.pt")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a.pt"}
    info.pax_headers["GNU.sparse.realsize"] = str(HUGE)
    body += bytes(-len(body) % 512) + b"x"
    info.size = len(body)
    tar.addfile(info, io.BytesIO(body))


def sparse_in_its_header(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("a.pt")
    info.size = 1
    info.pax_headers = {"GNU.sparse.map": f"{HUGE - 1},1", "GNU.sparse.size": str(HUGE)}
    tar.addfile(info, io.BytesIO(b"x"))


def sparse_and_short(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("a.pt")
    info.size = 1
    info.pax_headers = {"GNU.sparse.map": "3,1", "GNU.sparse.size": "4"}
    tar.addfile(info, io.BytesIO(b"x"))


def sparse_of_old(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("a.pt")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 1
    tar.addfile(info, io.BytesIO(b"x"))


def link(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("a.pt")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar.addfile(info)


def long_words(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("a.pt")
    info.size = 4
    info.pax_headers = {"comment": "x" * 10**6}
    tar.addfile(info, io.BytesIO(b"data"))


def size_of_pax(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("a.pt")
    info.pax_headers = {"size": "-512"}
    tar.addfile(info, io.BytesIO())


@pytest.mark.parametrize(
    "member",
    [
        sparse_in_its_body,
        sparse_in_its_header,
        sparse_and_short,
        sparse_of_old,
        link,
        long_words,
        size_of_pax,
    ],
)
def test_no_more_is_written_than_was_announced(tmp_path: Path, member: Callable[[tarfile.TarFile], None]):
    path = tmp_path / "b.tar"
    manifest = {"format": bundle.FORMAT, "files": [{"path": "a.pt", "size": 4, "sha256": "0" * 64}]}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        bundle._add(tar, bundle.MANIFEST, json.dumps(manifest).encode())
        member(tar)
    written = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            with contextlib.suppress(FileNotFoundError):  # one may go between its listing and the question
                sizes = [one.stat().st_size for one in (tmp_path / "shelf").rglob("*.pt")]
                written[0] = max(written + sizes)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        refused(path, tmp_path / "shelf", "a file with holes|no plain file|as the manifest says")
    finally:
        done.set()
        watcher.join()
    assert written[0] <= 4


def test_a_second_bundle_never_replaces_other_bytes(tmp_path: Path):
    shelf = tmp_path / "shelf"
    bundle.install_bundle(write(tmp_path / "b0.tar", files_of("a.pt", DATA)), shelf)
    before = contents(shelf)
    for name in ("a.pt", "A.PT"):
        with pytest.raises(BundleError, match=r"means other weights on the shelf .*with --to"):
            bundle.install_bundle(write(tmp_path / "b1.tar", files_of(name, b"other")), shelf)
    assert contents(shelf) == before


def test_a_file_without_a_pin_is_not_replaced_either(tmp_path: Path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "a.pt").write_bytes(b"mine")
    with pytest.raises(BundleError, match=r"a\.pt has other bytes than a\.pt of the bundle"):
        bundle.install_bundle(write(tmp_path / "b.tar", files_of()), shelf)
    assert contents(shelf) == {"a.pt": b"mine"}


def test_a_name_goes_on_meaning_the_weights_that_it_meant(tmp_path: Path):
    shelf = tmp_path / "shelf"
    bundle.install_bundle(write(tmp_path / "b0.tar", files_of("b.pt", DATA, aliases=["alice/frogs"])), shelf)
    before = contents(shelf)
    others = [
        files_of("b.safetensors", b"other"),  # `b` would be either
        files_of("a.pt", b"other", aliases=["B"]),
        files_of("a.pt", b"other", aliases=["Alice/Frogs"]),
    ]
    for other in others:
        with pytest.raises(BundleError, match="means other weights on the shelf"):
            bundle.install_bundle(write(tmp_path / "b1.tar", other), shelf)
    assert contents(shelf) == before


def test_the_same_weights_are_installed_again_and_other_words_on_them_stay_beside(tmp_path: Path):
    shelf = tmp_path / "shelf"
    again = write(tmp_path / "b0.tar", files_of())
    bundle.install_bundle(again, shelf)
    before = contents(shelf)
    assert [path.name for path in bundle.install_bundle(again, shelf)] == ["a.pt", "a.pt.dvc"]
    assert contents(shelf) == before
    other = files_of(aliases=["alice/frogs"])
    bundle.install_bundle(write(tmp_path / "b1.tar", other), shelf)
    added = contents(shelf).keys() - before.keys()
    assert [name.startswith("a.pt.pin-") for name in added] == [True]
    assert {name: contents(shelf)[name] for name in before} == before


def test_a_bad_pin_on_the_shelf_hinders_nobody(tmp_path: Path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "bad.dvc").write_text("outs: 5\n")
    bundle.install_bundle(write(tmp_path / "b.tar", files_of()), shelf)
    assert (shelf / "a.pt").read_bytes() == DATA


def test_random_bytes_and_other_tars_are_none(tmp_path: Path):
    path = tmp_path / "b.tar"
    for data in (b"", b"\0" * 10_240, b"x" * 2000):
        path.write_bytes(data)
        with pytest.raises(BeatsError, match=r"b\.tar"):
            bundle.verify_bundle(path)


def carried(published: Published, name: str, data: bytes, asked: str) -> Path:
    upload(published.hub, published.token, name, {"model.safetensors": data}, "model")
    path = published.folder / f"{name.replace('/', '-')}.tar"
    done = beats(published, "bundle", "create", asked, "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path


def test_what_was_carried_by_its_name_on_the_hub_is_found_by_it(published: Published):
    frogs = carried(published, "alice/frogs", b"frogs" * 30_000, "alice/frogs")
    bats = carried(published, "alice/bats", b"bats" * 30_000, "hf://alice/bats@main")
    away = {"HF_HOME": str(published.folder / "island"), "HF_HUB_OFFLINE": "1", "BEATS_PINS": ""}
    assert beats(published, "fetch", "alice/frogs", **away).returncode == 1
    for path in (frogs, bats):
        done = beats(published, "bundle", "install", str(path), **away)
        assert done.returncode == 0, done.stderr
    for name, data in (("alice/frogs", b"frogs"), ("hf://alice/bats", b"bats"), ("alice/bats", b"bats")):
        done = beats(published, "fetch", name, **away)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).read_bytes() == data * 30_000
    unplugged = away | {"HF_HUB_OFFLINE": "", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert beats(published, "fetch", "alice/frogs", **unplugged).returncode == 0
    assert beats(published, "fetch", "alice/toads", **away).returncode == 1


def test_the_newer_weights_of_a_name_do_not_replace_the_older(published: Published):
    older = carried(published, "alice/frogs", b"older" * 30_000, "alice/frogs")
    newer = carried(published, "alice/frogs", b"newer" * 30_000, "alice/frogs").rename(
        older.with_name("n.tar")
    )
    older = carried(published, "alice/frogs", b"older" * 30_000, "alice/frogs")
    shelf = published.folder / "shelf"
    bundle.install_bundle(older, shelf)
    with pytest.raises(BundleError, match="alice/frogs means other weights on the shelf"):
        bundle.install_bundle(newer, shelf)
    assert any(data == b"older" * 30_000 for data in contents(shelf).values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (files_of("a.pt", aliases=["frog"]), files_of("b.pt", b"other" * 9, aliases=["Frog"])),
        (files_of("a.pt", aliases=["b"]), files_of("b.pt", b"other" * 9)),
        (files_of("a.pt"), files_of("a.safetensors", b"other" * 9)),
    ],
)
def test_a_name_means_one_file_of_a_bundle(tmp_path: Path, one: dict[str, bytes], other: dict[str, bytes]):
    refused(write(tmp_path / "b.tar", one | other), tmp_path / "shelf", "means other weights")


COMPOSED, TAKEN_APART = "caf\u00e9.pt", "cafe\u0301.pt"


def test_letters_that_are_composed_otherwise_make_no_other_name(tmp_path: Path):
    twins = files_of(COMPOSED) | files_of(TAKEN_APART, b"other" * 9)
    refused(write(tmp_path / "b.tar", twins), tmp_path / "shelf", "two files")

    bundle.install_bundle(write(tmp_path / "b.tar", files_of(COMPOSED)), tmp_path / "shelf")
    before = contents(tmp_path / "shelf")
    with pytest.raises(BundleError, match="means other weights"):
        bundle.install_bundle(
            write(tmp_path / "b.tar", files_of(TAKEN_APART, b"other" * 9)), tmp_path / "shelf"
        )
    assert contents(tmp_path / "shelf") == before


@pytest.mark.parametrize("name", ["con .pt", "COM\u00b9.pt", "CONIN$"])
def test_a_device_of_windows_is_no_file_name(tmp_path: Path, name: str):
    refused(write(tmp_path / "b.tar", files_of(name)), tmp_path / "shelf", "a plain file name")


@pytest.mark.parametrize("make", [Path.mkdir, lambda place: place.symlink_to(place.with_name("elsewhere"))])
def test_what_is_no_file_on_the_shelf_is_not_replaced_either(tmp_path: Path, make: Callable[[Path], None]):
    (tmp_path / "shelf").mkdir()
    make(tmp_path / "shelf" / "a.pt")
    with pytest.raises(BundleError, match="has other bytes"):
        bundle.install_bundle(write(tmp_path / "b.tar", files_of()), tmp_path / "shelf")
    assert [path.name for path in (tmp_path / "shelf").iterdir()] == ["a.pt"]
    assert not (tmp_path / "shelf" / "a.pt").is_file()
