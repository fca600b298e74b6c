"""A publication that is signed, with the real package and keys, and looked at again from the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest
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


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path, "alice")


def test_a_signed_publication_is_verified_and_another_key_is_not_believed(published: Published, keys):
    done = publish(published, "--sign", str(keys[0]))
    assert done.returncode == 0, done.stderr
    assert "model.sig" in done.stdout
    assert beats(published, "fetch", "alice/mine").returncode == 0
    good = verify(published, keys[1])
    assert good.returncode == 0, good.stderr
    assert "alice/mine: signed by the owner of" in good.stderr
    other = verify(published, write_keys(published.folder, "mallory")[1])
    assert other.returncode == 1
    assert "does not hold for" in other.stderr


@pytest.mark.parametrize("name", ["config.json", "stowaway.txt"])
def test_a_file_that_changed_or_came_later_breaks_the_signature(published: Published, keys, name: str):
    assert publish(published, "--sign", str(keys[0])).returncode == 0
    upload(published.hub, published.token, "alice/mine", {name: b"{}"}, "model")
    assert beats(published, "fetch", "alice/mine").returncode == 0
    bad = verify(published, keys[1])
    assert bad.returncode == 1
    assert "does not hold for" in bad.stderr
    assert name in bad.stderr


def test_what_nobody_signed_is_said_so(published: Published, keys):
    assert publish(published).returncode == 0
    result = verify(published, keys[1])
    assert result.returncode == 1
    assert "nobody signed it" in result.stderr


def test_a_key_that_is_none_is_named_before_anything_is_sent(published: Published, tmp_path: Path):
    (tmp_path / "bad.pem").write_text("no key")
    result = publish(published, "--sign", str(tmp_path / "bad.pem"))
    assert result.returncode == 1
    assert "Expected the private key of an elliptic curve" in result.stderr
    assert published.hub.requests.count("POST", "*") == 0
