"""A publication that is signed, with the real package and keys, and looked at again by whoever fetches it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from beats_trainer import fetch_checkpoint, load_model
from beats_trainer.errors import DigestMismatchError, MissingExtraError, NotCachedError
from beats_trainer.hub.lookup import resolve_name
from beats_trainer.hub.signature import PublicKey, read_key, sign_files
from beats_trainer.pins.address import parse_place
from beats_trainer.pins.pin import pin_document
from beats_trainer.publish.card import Statement
from beats_trainer.publish.package import write_publication
from beats_trainer.publish.upload import send_files
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from published import Published, beats, upload

FILE = Path(__file__).parents[1] / "golden" / "tiny" / "BEATs_iter3_plus_AS2M.pt"


def write_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """A private and a public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(pem, form))
    return private, public


def publish(published: Published, *more: str):
    arguments = ["publish", str(FILE), "--to", "alice/mine", "--licence", "mit", *more]
    return beats(published, *arguments, HF_TOKEN=published.token)


def verify(published: Published, key: Path):
    return beats(published, "verify", "alice/mine", "--key", str(key))


def fetch(published: Published, key: Path):
    return beats(published, "fetch", "alice/mine", "--key", str(key))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path, "alice")


@pytest.fixture
def signed(published: Published, keys, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A model `alice/mine`, signed, at the endpoint that is in force."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", published.hub.endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        published.hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(published.cache))
    monkeypatch.setenv("HF_TOKEN", published.token)
    files = write_publication(FILE, published.folder / "files", Statement("mit"))
    send_files([*files, sign_files(files, keys[0])], parse_place("hf://alice/mine"))
    monkeypatch.delenv("HF_TOKEN")
    published.hub.requests.clear()
    return published


def pin_of(signed: Published, key: Path) -> Path:
    """A pin that names a key, and where it was written."""
    resolved = resolve_name("alice/mine", signed.cache)
    document = yaml.safe_load(pin_document(resolved, key=read_key(key).pem))
    document["meta"]["endpoint"] = signed.hub.endpoint
    path = signed.folder / "signed.dvc"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_a_signed_publication_is_verified_and_another_key_is_not_believed(published: Published, keys):
    signed = published
    done = publish(signed, "--sign", str(keys[0]))
    assert done.returncode == 0, done.stderr
    assert "model.sig" in done.stdout
    good = verify(signed, keys[1])
    assert good.returncode == 0, good.stderr
    assert f"alice/mine: signed by the owner of the key {read_key(keys[1]).fingerprint}" in good.stderr
    other = verify(signed, write_keys(signed.folder, "mallory")[1])
    assert other.returncode == 1
    assert "does not hold for" in other.stderr


def test_fetch_gives_the_file_to_those_who_name_the_right_key_only(signed: Published, keys):
    good = fetch(signed, keys[1])
    assert good.returncode == 0, good.stderr
    assert Path(good.stdout.strip()).is_file()
    mallory = write_keys(signed.folder, "mallory")[1]
    bad = fetch(signed, mallory)
    assert (bad.returncode, bad.stdout) == (1, "")
    for part in ("alice/mine@", f"does not hold for the key {read_key(mallory).fingerprint}", "Expected the"):
        assert part in bad.stderr
    assert "ask the author for the right key" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_what_was_verified_once_is_verified_again_without_asking_anybody(signed: Published, keys):
    first = fetch_checkpoint("alice/mine", cache_dir=signed.cache, key=keys[1])
    signed.hub.requests.clear()
    again = fetch_checkpoint("alice/mine", cache_dir=signed.cache, key=keys[1], local_files_only=True)
    assert again == first
    assert len(list(signed.hub.requests)) == 0
    mallory = write_keys(signed.folder, "mallory")[1]
    with pytest.raises(DigestMismatchError, match="does not hold for the key"):
        fetch_checkpoint("alice/mine", cache_dir=signed.cache, key=mallory, local_files_only=True)


def test_offline_a_signature_that_is_not_here_is_missed_and_not_called_absent(signed: Published, keys):
    path = fetch_checkpoint("alice/mine", cache_dir=signed.cache)
    assert not (path.parent / "model.sig").exists()
    with pytest.raises(NotCachedError, match="the signature of alice/mine is not in the cache"):
        fetch_checkpoint("alice/mine", cache_dir=signed.cache, key=keys[1], local_files_only=True)


@pytest.mark.parametrize("name", ["config.json", "stowaway.txt", "model.safetensors"])
def test_a_file_that_changed_or_came_later_breaks_the_signature(signed: Published, keys, name: str):
    upload(signed.hub, signed.token, "alice/mine", {name: b"{}"}, "model")
    for bad in (fetch(signed, keys[1]), verify(signed, keys[1])):
        assert (bad.returncode, bad.stdout) == (1, "")
        assert "does not hold for" in bad.stderr
        assert name in bad.stderr


def test_a_pin_with_a_key_asks_for_the_signature_at_each_load(signed: Published, keys, monkeypatch):
    monkeypatch.setenv("BEATS_PINS", str(pin_of(signed, keys[1])))
    assert load_model("model", device="cpu")
    monkeypatch.setenv("BEATS_PINS", str(pin_of(signed, write_keys(signed.folder, "mallory")[1])))
    for use in (fetch_checkpoint, load_model):
        with pytest.raises(DigestMismatchError, match=r"does not hold for the key \w{64} \(meta.key of"):
            use("model")


def test_a_copy_on_a_shelf_is_held_against_the_signed_one(signed: Published, keys, tmp_path, monkeypatch):
    pin = pin_of(signed, keys[1])
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    carried = shelf / "carried.safetensors"
    carried.write_bytes(fetch_checkpoint("alice/mine", cache_dir=tmp_path / "other").read_bytes())
    monkeypatch.setenv("BEATS_PINS", str(pin))
    monkeypatch.setenv("BEATS_CHECKPOINTS", str(shelf))
    assert fetch_checkpoint("model", cache_dir=signed.cache) == carried
    # The pin names other bytes than its author signed: both are here, and only the signed ones count.
    other = b"\x02\0\0\0\0\0\0\0{}" + b"x" * 100
    carried.write_bytes(other)
    document = yaml.safe_load(pin.read_text(encoding="utf-8"))
    document["deps"][0] |= {"etag": hashlib.sha256(other).hexdigest(), "size": len(other)}
    pin.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(DigestMismatchError, match="is not model: expected sha256"):
        fetch_checkpoint("model", cache_dir=signed.cache)


def test_beats_pin_writes_the_key_after_it_has_seen_the_signature(signed: Published, keys):
    registry = signed.folder / "pins"
    registry.mkdir()
    mallory = write_keys(signed.folder, "mallory")[1]
    refused = beats(signed, "pin", "alice/mine", "--key", str(mallory), "-o", str(registry))
    assert (refused.returncode, list(registry.iterdir())) == (1, [])
    written = beats(signed, "pin", "alice/mine", "--key", str(keys[1]), "-o", str(registry))
    assert written.returncode == 0, written.stderr
    info = beats(signed, "info", "model", BEATS_PINS=str(registry))
    assert f"signed by: {read_key(keys[1]).fingerprint}" in info.stdout
    fetched = beats(signed, "fetch", "model", "--trust", "pinned", BEATS_PINS=str(registry))
    assert fetched.returncode == 0, fetched.stderr


def test_a_bundle_is_made_of_what_was_signed_and_installs_without_the_network(signed: Published, keys):
    pin = pin_of(signed, keys[1])
    made = beats(signed, "bundle", "create", "model", "-o", "bundle.tar", BEATS_PINS=str(pin))
    assert made.returncode == 0, made.stderr
    away = {"HF_HOME": str(signed.folder / "away"), "HF_HUB_OFFLINE": "1", "BEATS_PINS": ""}
    assert beats(signed, "bundle", "install", "bundle.tar", **away).returncode == 0
    fetched = beats(signed, "fetch", "model", **away)
    assert fetched.returncode == 0, fetched.stderr
    bad = pin_of(signed, write_keys(signed.folder, "mallory")[1])
    refused = beats(signed, "bundle", "create", "model", "-o", "bad.tar", BEATS_PINS=str(bad))
    assert refused.returncode == 1
    assert not (signed.folder / "bad.tar").exists()


def test_what_nobody_signed_is_said_so(published: Published, keys):
    assert publish(published).returncode == 0
    for result in (verify(published, keys[1]), fetch(published, keys[1])):
        assert (result.returncode, result.stdout) == (1, "")
        assert "nobody signed it" in result.stderr


def test_a_key_that_is_none_is_named_before_anything_is_sent(published: Published, tmp_path: Path):
    (tmp_path / "bad.pem").write_text("no key")
    result = publish(published, "--sign", str(tmp_path / "bad.pem"))
    assert result.returncode == 1
    assert "Expected the private key of an elliptic curve" in result.stderr
    fetched = fetch(published, tmp_path / "bad.pem")
    assert fetched.returncode == 1
    assert "bad.pem holds no public key. Expected a PEM text" in fetched.stderr
    assert published.hub.requests.count("POST", "*") == 0
    assert published.hub.requests.count("GET", "*/resolve/*") == 0


def test_the_fingerprint_is_that_of_openssl(keys):
    loaded = serialization.load_pem_public_key(keys[1].read_bytes())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = loaded.public_bytes(serialization.Encoding.DER, form)
    assert read_key(keys[1]).fingerprint == hashlib.sha256(der).hexdigest()
    with pytest.raises(ValueError, match="pin holds no public key"):
        PublicKey("-----BEGIN PUBLIC KEY-----\n***\n-----END PUBLIC KEY-----", "pin")


def test_without_the_extra_nothing_is_fetched_and_the_command_is_named(signed: Published, keys):
    code = (
        "import sys; sys.modules['model_signing'] = None\n"
        "from beats_trainer import fetch_checkpoint\n"
        "from beats_trainer.errors import MissingExtraError\n"
        "try: fetch_checkpoint('alice/mine', key=sys.argv[1])\n"
        "except MissingExtraError as error: sys.exit(str(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(keys[1])],
        env=signed.env(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'beats-trainer[signing]'" in done.stderr
    assert signed.hub.requests.count("GET", "*/resolve/*") == 0
    assert issubclass(MissingExtraError, ImportError)
