from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from beats_trainer.errors import FetchError, PinError, UnknownCheckpointError
from beats_trainer.pins import registry
from beats_trainer.pins.address import Place, parse_place
from beats_trainer.pins.dvcfile import read_pin
from beats_trainer.pins.pin import FolderPin, Pin
from beats_trainer.pins.registry import KNOWN, Registry

COMMIT = "0" * 39 + "1"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hf://alice/beats", Place("alice/beats")),
        ("hf://models/alice/beats/a.pt", Place("alice/beats", "a.pt")),
        ("hf://datasets/alice/beats", Place("alice/beats", "", "dataset")),
        ("hf://datasets/alice/beats@dev/x/a.pt", Place("alice/beats", "x/a.pt", "dataset", "dev")),
        (f"hf://alice/beats@{COMMIT}/a.pt", Place("alice/beats", "a.pt", "model", COMMIT)),
        ("hf://alice/beats@refs/pr/3/a.pt", Place("alice/beats", "a.pt", "model", "refs/pr/3")),
        ("hf://alice/beats@refs%2Fpr%2F3/a.pt", Place("alice/beats", "a.pt", "model", "refs/pr/3")),
        ("hf://spaces/alice/demo/a.pt", Place("alice/demo", "a.pt", "space")),
    ],
)
def test_an_address_on_the_hub_is_read_as_hugging_face_hub_reads_it(text: str, place: Place):
    assert parse_place(text) == place
    assert parse_place(str(place)) == place
    huggingface_hub = pytest.importorskip("huggingface_hub", minversion="2")
    theirs = huggingface_hub.parse_hf_uri(text)
    assert (theirs.id, theirs.type, theirs.revision or "main", theirs.path_in_repo) == (
        place.repo_id,
        place.repo_type,
        place.revision,
        place.path,
    )


@pytest.mark.parametrize("text", ["https://x/y", "hf://", "hf://alice", "hf://datasets/alice", "alice/beats"])
def test_what_is_no_address_on_the_hub_is_refused(text: str):
    with pytest.raises(PinError, match="Expected hf://"):
        parse_place(text)


def repository(folder: Path, config: str, pin: str, name: str = "checkpoints.dvc") -> Path:
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(config)
    path = folder / name
    path.write_text(pin)
    return path


CONFIG = """[core]
    remote = huggingface
['remote "huggingface"']
    url = hf://datasets/ninanor/beats-checkpoints@weights
    publish = checkpoints
    endpointurl = http://127.0.0.1:1
['remote "other"']
    url = hf://alice/other
['remote "s3"']
    url = s3://bucket
"""
FOLDER = "outs:\n- md5: {md5}.dir\n  size: 10\n  nfiles: 2\n  hash: md5\n  path: checkpoints\n"


def test_the_pin_of_a_folder_finds_its_place_in_the_dvc_config_above_it(tmp_path: Path):
    md5 = "ab" + "c" * 30
    pin = read_pin(repository(tmp_path, CONFIG, FOLDER.format(md5=md5)))
    assert isinstance(pin, FolderPin)
    place = pin.listing.sources[0]
    assert str(place) == f"hf://datasets/ninanor/beats-checkpoints@weights/files/md5/ab/{'c' * 30}.dir"
    assert place.endpoint == "http://127.0.0.1:1"


@pytest.mark.parametrize(("remote", "place"), [("other", "hf://alice/other"), ("s3", None), ("none", None)])
def test_an_output_may_name_another_remote(tmp_path: Path, remote: str, place: str | None):
    text = FOLDER.format(md5="a" * 32) + f"  remote: {remote}\n"
    pin = read_pin(repository(tmp_path, CONFIG, text))
    assert isinstance(pin, FolderPin)
    assert (str(pin.root) if pin.root else None) == place


def test_a_local_config_overrides_the_shared_one(tmp_path: Path):
    path = repository(tmp_path, CONFIG, FOLDER.format(md5="a" * 32))
    local = "['remote \"huggingface\"']\n    endpointurl = http://127.0.0.1:2\n"
    (tmp_path / ".dvc" / "config.local").write_text(local)
    pin = read_pin(path)
    assert isinstance(pin, FolderPin)
    assert pin.root is not None
    assert pin.root.endpoint == "http://127.0.0.1:2"


def test_the_pin_of_a_single_file_is_an_object_of_the_remote(tmp_path: Path):
    md5 = "ab" + "c" * 30
    text = f"outs:\n- md5: {md5}\n  size: 10\n  hash: md5\n  path: mine.safetensors\n"
    pin = read_pin(repository(tmp_path, CONFIG, text, "mine.safetensors.dvc"))
    assert isinstance(pin, Pin)
    assert (pin.name, pin.size, pin.digests) == ("mine", 10, {"md5": md5})
    assert pin.sources[0].path == f"files/md5/ab/{'c' * 30}"


def test_the_default_checkpoint_has_place_commit_size_and_digest():
    pin = Registry().find("BEATs_iter3_plus_AS2M")
    assert pin.unknown == ()
    assert pin.sources[0].is_pinned
    assert pin.size == 361_499_833


def test_every_pin_of_the_package_has_licence_origin_and_what_it_was_trained_on():
    for pin in Registry(sorted((registry.PACKAGE / "known").glob("*.dvc"))).all():
        assert pin.licence, pin.name
        assert pin.meta["origin"], pin.name
        assert pin.meta["trained_on"], pin.name
        assert pin.description, pin.name


def test_the_official_files_have_their_true_sizes_and_digests():
    official = [pin for pin in Registry().all() if pin.name.startswith("BEATs_iter")]
    assert len(official) == 15
    assert {pin.size for pin in official} == {361_499_833, 363_145_291}
    assert len({pin.digests["sha256"] for pin in official}) == 15


@pytest.mark.skipif(find_spec("dvc") is None, reason="DVC is not in the environments of `make client-matrix`")
def test_dvc_itself_accepts_every_pin_of_the_package():
    code = (
        "import sys, yaml\n"
        "from dvc.schema import COMPILED_SINGLE_STAGE_SCHEMA as schema\n"
        "for path in sys.argv[1:]: schema(yaml.safe_load(open(path, encoding='utf-8').read()))\n"
    )
    paths = sorted(map(str, (registry.PACKAGE / "known").glob("*.dvc")))
    assert len(paths) >= 15
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *paths], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def single(folder: Path, filename: str, **meta: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{filename}.dvc"
    path.write_text(json.dumps({"outs": [{"path": filename}], "meta": meta}))
    return path


def test_beats_pins_comes_before_the_package_and_takes_files_and_folders(tmp_path: Path, monkeypatch):
    file = single(tmp_path, "BEATs_iter3_plus_AS2M.pt", sha256="a" * 64)
    folder = single(tmp_path / "more", "mine.pt").parent
    monkeypatch.setenv("BEATS_PINS", f"{file}{__import__('os').pathsep}{folder}")
    assert Registry().find("beats_ITER3_plus_AS2M").digests == {"sha256": "a" * 64}
    assert Registry().find("mine").unknown == ("size", "digest", "place")
    assert Registry().find("BEATs_iter1").digests


def test_a_place_of_pins_that_does_not_exist_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BEATS_PINS", str(tmp_path / "nowhere"))
    with pytest.raises(PinError, match=r"nowhere, which does not exist"):
        Registry().all()


def test_an_alias_is_asked_after_all_names(tmp_path: Path):
    first = single(tmp_path, "a.pt", aliases=["b"])
    second = single(tmp_path, "b.pt")
    assert Registry([first, second]).find("B").filename == "b.pt"
    assert Registry([first]).find("B").filename == "a.pt"


def published(tmp_path: Path, *filenames: str) -> tuple[Path, bytes]:
    """The pin of a folder in a repository whose remote is the project's own, and its listing."""
    rows = [{"md5": hashlib.md5(n.encode()).hexdigest(), "relpath": n} for n in filenames]
    listing = json.dumps(rows).encode()
    text = f"outs:\n- md5: {hashlib.md5(listing).hexdigest()}.dir\n  hash: md5\n  path: checkpoints\n"
    return repository(tmp_path, CONFIG, text, "checkpoints.dvc"), listing


def test_what_the_project_has_published_is_asked_before_mirrors(tmp_path: Path):
    mirrored = KNOWN / "BEATs_iter3_plus_AS2M.dvc"
    own, listing = published(tmp_path, "BEATs_iter3_plus_AS2M.pt")
    pin = Registry([own, mirrored], lambda _: listing).find("BEATs_iter3_plus_AS2M")
    assert pin.digests == {"md5": hashlib.md5(b"BEATs_iter3_plus_AS2M.pt").hexdigest()}
    assert str(pin.sources[0]).startswith("hf://datasets/")
    assert pin.sources[0].path.startswith("files/md5/")
    assert pin.sources[1:] == read_pin(mirrored).sources  # where the own repository fails, mirrors are tried


def test_the_own_repository_is_asked_also_where_the_pin_of_a_mirror_comes_first(tmp_path: Path):
    own, listing = published(tmp_path, "BEATs_iter3_plus_AS2M.pt")
    mirrored = KNOWN / "BEATs_iter3_plus_AS2M.dvc"
    pin = Registry([mirrored, own], lambda _: listing).find("BEATs_iter3_plus_AS2M")
    assert pin.sources[-1].path.startswith("files/md5/")
    assert pin.digests == read_pin(mirrored).digests  # and these judge whatever comes from anywhere


def test_without_its_listing_a_mirror_serves(tmp_path: Path):
    own, _ = published(tmp_path, "BEATs_iter3_plus_AS2M.pt")

    def silent(_):
        raise FetchError("no answer")

    mirrored = KNOWN / "BEATs_iter3_plus_AS2M.dvc"
    assert Registry([mirrored, own], silent).find("BEATs_iter3_plus_AS2M") == read_pin(mirrored)


def placed(folder: Path, place: str, **meta: object) -> Path:
    return single(folder, "a.pt", sources=[f"hf://{place}/a.pt"], **meta)


def test_pins_of_equal_digest_join_their_places_and_what_they_know(tmp_path: Path):
    first = placed(tmp_path / "1", "own/a", sha256="a" * 64)
    second = placed(tmp_path / "2", "mirror/a", sha256="a" * 64, size=5, licence="MIT", md5="b" * 32)
    pin = Registry([first, second]).find("a")
    assert [place.repo_id for place in pin.sources] == ["own/a", "mirror/a"]
    assert (pin.size, pin.licence) == (5, "MIT")
    assert pin.digests == {"sha256": "a" * 64, "md5": "b" * 32}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"sha256": "a" * 64}, {"sha256": "b" * 64}),
        ({"sha256": "a" * 64, "size": 4}, {"md5": "b" * 32, "size": 5}),
        ({}, {"sha256": "a" * 64}),  # nothing would judge what the mirror gives
    ],
    ids=["digests differ", "sizes differ", "no digest"],
)
def test_pins_that_cannot_mean_the_same_are_not_joined(tmp_path: Path, one: dict, other: dict):
    first, second = placed(tmp_path / "1", "own/a", **one), placed(tmp_path / "2", "mirror/a", **other)
    assert Registry([first, second]).find("a") == read_pin(first)


def test_of_pins_that_may_mean_the_same_only_places_are_taken(tmp_path: Path):
    first = placed(tmp_path / "1", "own/a", md5="a" * 32)
    second = placed(tmp_path / "2", "mirror/a", sha256="b" * 64, licence="MIT", golden=[1.0])
    pin = Registry([first, second]).find("a")
    assert [place.repo_id for place in pin.sources] == ["own/a", "mirror/a"]
    assert (pin.digests, pin.licence, pin.golden) == ({"md5": "a" * 32}, "", ())


def test_an_alias_leads_to_the_first_pin_of_that_file(tmp_path: Path):
    first = placed(tmp_path / "1", "own/a", sha256="a" * 64)
    second = placed(tmp_path / "2", "mirror/a", sha256="b" * 64, aliases=["other"])
    assert Registry([first, second]).find("other").sources[0].repo_id == "own/a"


def test_a_name_that_fits_two_files_must_be_said_in_full():
    rows = [{"md5": hashlib.md5(n.encode()).hexdigest(), "relpath": n} for n in ("a.pt", "a.safetensors")]
    folder = FolderPin("0" * 32, None, origin="here")
    registry = Registry([], lambda _: json.dumps(rows).encode())
    registry.__dict__["_documents"] = [folder]
    assert registry.find("a.pt").filename == "a.pt"
    with pytest.raises(PinError, match=r"fits 2 checkpoints: a.pt, a.safetensors"):
        registry.find("a")


@pytest.mark.parametrize("text", ["", "outs: []", "[1]", "outs:\n- md5: x", "\0", "outs: {a: b}", "{"])
def test_what_is_no_pin_is_named(tmp_path: Path, text: str):
    path = tmp_path / "broken.dvc"
    path.write_text(text)
    with pytest.raises(PinError, match="cannot read the pin"):
        read_pin(path)


def test_a_listing_that_is_none_is_named():
    with pytest.raises(PinError, match=r"cannot read the listing of here: .*; expected JSON"):
        FolderPin("0" * 32, None, origin="here").entries(b"<html>")


def test_an_unknown_name_with_nothing_near_lists_all():
    with pytest.raises(
        UnknownCheckpointError, match=r"no checkpoint is called 'xyz'\. Known: .*BEATs_iter1,"
    ):
        Registry().find("xyz")


FIELDS = {
    "outs:\n- path: m.pt\n  size: .inf\n": r"outs\[0\]\.size is inf; expected a whole number",
    "outs:\n- path: m.pt\n  size: abc\n": r"outs\[0\]\.size is 'abc'",
    "outs:\n- path: m.pt\n  size: -1\n": r"outs\[0\]\.size is -1",
    "outs:\n- path: [m.pt]\n": r"outs\[0\]\.path is \['m.pt'\]; expected a text",
    "outs:\n- path: a/..\n": r"outs\[0\]\.path is 'a/\.\.'; expected a path that ends in a plain file name",
    "outs:\n- path: m.pt\n  md5: ../../x\n": r"outs\[0\]\.md5 is '\.\./\.\./x'; expected an md5",
    "outs:\n- path: m\n  md5: ../../x.dir\n": r"outs\[0\]\.md5 is .*x\.dir'; expected an md5 and \.dir",
    "outs:\n- path: m.pt\ndeps: abc\n": r"deps is 'abc'; expected a list",
    "outs:\n- path: m.pt\ndeps: [abc]\n": r"deps\[0\] is 'abc'; expected a table",
    "outs:\n- path: m.pt\ndeps:\n- path: hf://a/b/m.pt\n  etag: abc\n": r"deps\[0\]\.etag is 'abc'; exp",
    "outs:\n- path: m.pt\nmeta: {sources: 5}\n": r"meta\.sources is 5; expected a list",
    "outs:\n- path: m.pt\nmeta: {sources: [x]}\n": r"meta\.sources\[0\] is 'x'; expected an address hf://",
    "outs:\n- path: m.pt\nmeta: {aliases: abc}\n": r"meta\.aliases is 'abc'; expected a list",
    "outs:\n- path: m.pt\nmeta: {licence: [MIT]}\n": r"meta\.licence is \['MIT'\]; expected a text",
    "outs:\n- path: m.pt\nmeta: {golden: [a]}\n": r"meta\.golden\[0\] is 'a'; expected a number",
    "outs:\n- path: m.pt\nmeta: {sha256: abc}\n": r"meta\.sha256 is 'abc'; expected a sha256",
    "outs:\n- path: m.pt\nmeta: {scores: 5}\n": r"meta\.scores is 5; expected a table",
    "outs:\n- path: m.pt\nmeta: 5\n": r"meta is 5; expected a table",
    "desc: [a]\nouts:\n- path: m.pt\n": r"desc is \['a'\]; expected a text",
    "outs: []\n": r"outs is \[\]; expected a list with one entry",
    "outs: {a: b}\n": r"outs is \{'a': 'b'\}; expected a list",
}


@pytest.mark.parametrize(("text", "said"), FIELDS.items())
def test_a_fault_of_a_pin_names_file_and_field(tmp_path: Path, text: str, said: str):
    path = tmp_path / "broken.dvc"
    path.write_text(text)
    with pytest.raises(PinError, match=rf"cannot read the pin .*broken\.dvc: {said}"):
        read_pin(path)


def test_what_nobody_reads_may_be_anything(tmp_path: Path):
    path = tmp_path / "m.pt.dvc"
    path.write_text(
        "outs:\n- path: m.pt\n  cache: maybe\nmeta:\n  when: 2024-02-30\n  remarks: [1, {2: 3}]\n"
        "something: [else]\n"
        "deps:\n- path: s3://bucket/m.pt\n  etag: '\"abc-2\"'\n"
    )
    pin = read_pin(path)
    assert isinstance(pin, Pin)
    assert (pin.meta["when"], pin.digests, pin.sources) == ("2024-02-30", {}, ())


def test_one_bad_pin_does_not_hide_the_others(tmp_path: Path, caplog):
    paths = [single(tmp_path, "a.pt"), tmp_path / "bad.pt.dvc", single(tmp_path, "c.pt")]
    paths[1].write_text("outs: 5\n")
    registry = Registry(paths)
    assert [pin.name for pin in registry.all()] == ["a", "c"]
    assert "outs is 5" in registry.unread[str(paths[1])]
    assert registry.find("c").filename == "c.pt"
    assert "a pin is left out: cannot read the pin" in caplog.text


def test_no_other_pin_takes_the_name_of_a_bad_one(tmp_path: Path):
    bad = tmp_path / "mine" / "m.pt.dvc"
    good = single(tmp_path, "m.pt")
    bad.parent.mkdir()
    bad.write_text("outs: 5\n")
    for name in ("m", "M.pt"):
        with pytest.raises(PinError, match=r"mine.m\.pt\.dvc: outs is 5"):
            Registry([bad, good]).find(name)
    bad = bad.rename(bad.with_name("other.dvc"))
    bad.write_text("outs:\n- path: here/m.pt\n  size: many\n")
    with pytest.raises(PinError, match=r"outs\[0\]\.size is 'many'"):
        Registry([bad, good]).find("m")
    with pytest.raises(UnknownCheckpointError, match=r"Not read: .*mine.other\.dvc"):
        Registry([bad, good]).find("n")


@pytest.mark.parametrize(
    "relpath", ["../m.pt", "/m.pt", "a/../../m.pt", "a\\..\\m.pt", "C:m.pt", "a//m.pt", "\x1b.pt"]
)
def test_a_name_in_a_listing_stays_in_its_folder(relpath: str):
    rows = [{"md5": "a" * 32, "relpath": relpath}]
    with pytest.raises(PinError, match=r"\[0\]\.relpath is .*; expected a path inside the folder"):
        FolderPin("0" * 32, None, origin="here").entries(json.dumps(rows).encode())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"md5": "x/../y", "relpath": "m.pt"}], r"\[0\]\.md5 is 'x/../y'; expected an md5"),
        ([{"relpath": "m.pt"}], r"\[0\]\.md5 is None; expected an md5"),
        ([{"md5": "a" * 32, "relpath": ["m.pt"]}], r"\[0\]\.relpath is \['m.pt'\]; expected a text"),
        ({"a": 1}, r"the whole is \{'a': 1\}; expected a list"),
        ([5], r"\[0\] is 5; expected a table"),
    ],
)
def test_a_row_of_a_listing_is_named(rows: object, said: str):
    with pytest.raises(PinError, match=f"cannot read the listing of here: {said}"):
        FolderPin("0" * 32, None, origin="here").entries(json.dumps(rows).encode())


@pytest.mark.parametrize("config", [b"\xff\xfe", b"no section", b"[core]\n  remote = x\n" + b"#\n" * 200_000])
def test_a_dvc_config_that_is_none_is_named(tmp_path: Path, config: bytes):
    path = repository(tmp_path, "", FOLDER.format(md5="a" * 32))
    (tmp_path / ".dvc" / "config").write_bytes(config)
    with pytest.raises(PinError, match=r"cannot read the DVC config .*config: .* Repair it") as caught:
        read_pin(path)
    assert len(str(caught.value)) < 600
