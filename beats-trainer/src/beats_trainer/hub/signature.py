"""The files of a publication, signed as OpenSSF's model-signing does, and the signature looked at again.

A signature covers every file of the folder but itself: none can change, vanish or be added. Keys are those of
an elliptic curve (P-256, P-384 or P-521) in PEM files. Needs the extra `signing`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from beats_trainer.errors import DigestMismatchError
from beats_trainer.extras import needs

NAME = "model.sig"
LARGEST = 50_000_000  # bytes of a signature: of a folder with some hundred thousand files
# What model-signing makes of a signature that is none, or of other files.
BROKEN = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")


@dataclass(frozen=True)
class PublicKey:
    """Whose signature is asked for: a PEM text, and where it was found."""

    pem: str
    origin: str

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the key itself, as `openssl pkey -pubin -outform DER | sha256sum` gives it."""
        return hashlib.sha256(self._der).hexdigest()

    @property
    def _der(self) -> bytes:
        found = PEM.search(self.pem)
        try:
            return base64.b64decode("".join(found[1].split()), validate=True) if found else b""
        except binascii.Error:
            return b""

    def __post_init__(self) -> None:
        if not self._der:
            message = (
                f"{self.origin} holds no public key. Expected a PEM text that begins with "
                "-----BEGIN PUBLIC KEY-----, as `openssl ec -in KEY.pem -pubout` writes it."
            )
            raise ValueError(message)


def read_key(path: str | Path) -> PublicKey:
    """The public key in a PEM file.

    Raises:
        ValueError: It holds none.
    """
    return PublicKey(Path(path).read_text(encoding="utf-8", errors="replace"), str(path))


def sign_files(files: Iterable[Path], private_key: Path, password: str | None = None) -> Path:
    """Signs the files, which lie in one folder, and returns the signature beside them.

    Raises:
        MissingExtraError: model-signing is not installed.
        ValueError: The key cannot be read, or is none of an elliptic curve.
    """
    listed = list(files)
    path = listed[0].with_name(NAME)
    signing, hashing = _package()
    config = signing.signing.Config().set_hashing_config(_covering(hashing, path))
    try:
        config.use_elliptic_key_signer(private_key=private_key, password=password)
    except (ValueError, TypeError) as error:
        message = (
            f"cannot sign with {private_key}: {error}. Expected the private key of an elliptic curve, as "
            "`openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem` writes it."
        )
        raise ValueError(message) from error
    config.sign(path.parent, path)
    return path


def check_signature(folder: Path, key: PublicKey, label: str) -> None:
    """Compares the files of a folder with the signature that lies in it.

    Args:
        folder: All files of a repository.
        key: Whose signature it must be.
        label: What the messages call it.

    Raises:
        DigestMismatchError: There is none, it is of another key, or a file is not as it was signed.
        MissingExtraError: model-signing is not installed.
    """
    signing, hashing = _package()
    path = folder / NAME
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise _unsigned(label, key)
    config = signing.verifying.Config().set_hashing_config(_covering(hashing, path))
    with tempfile.TemporaryDirectory() as place:
        pem = Path(place, "key.pem")
        pem.write_text(key.pem, encoding="utf-8")
        try:
            config.use_elliptic_key_verifier(public_key=pem).verify(folder, path)
        except (*BROKEN, _invalid()) as error:
            raise _broken(label, key, error) from error


def _unsigned(label: str, key: PublicKey) -> DigestMismatchError:
    message = (
        f"{label} has no {NAME}: nobody signed it. Expected a signature of the key {key.fingerprint} "
        f"({key.origin}). It was not used. Ask its author to publish with `--sign`."
    )
    return DigestMismatchError(message)


def _broken(label: str, key: PublicKey, error: Exception) -> DigestMismatchError:
    message = (
        f"the signature of {label} does not hold for the key {key.fingerprint} ({key.origin}): {error}. "
        "Expected the files as their author signed them. Use none of them; fetch them again, or ask the "
        "author for the right key."
    )
    return DigestMismatchError(message)


def need_signing() -> None:
    """Fails before anything is fetched where signatures could not be looked at.

    Raises:
        MissingExtraError: model-signing is not installed.
    """
    _package()


def _covering(hashing: ModuleType, signature: Path) -> object:
    # The Hub's cache is made of links; the Hub itself adds .gitattributes, which is left out by default.
    config = hashing.Config().use_file_serialization().set_allow_symlinks(True)
    return config.set_ignored_paths(paths=[signature])


def _invalid() -> type[Exception]:
    from cryptography.exceptions import InvalidSignature  # comes with model-signing

    return InvalidSignature


def _package() -> tuple[ModuleType, ModuleType]:
    signing = needs("model_signing", "signing", "signatures need model-signing")
    return signing, signing.hashing
