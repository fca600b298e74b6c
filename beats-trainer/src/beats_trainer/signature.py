"""The files of a publication, signed as OpenSSF's model-signing does, and the signature looked at again.

A signature covers every file of the folder but itself: none can change, vanish or be added. Keys are those of
an elliptic curve (P-256, P-384 or P-521) in PEM files. Needs the extra `signing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from beats_trainer.errors import DigestMismatchError, MissingExtraError

NAME = "model.sig"


def sign(files: Iterable[Path], private_key: Path, password: str | None = None) -> Path:
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


def check_signature(folder: Path, public_key: Path) -> None:
    """Compares the files of a folder with the signature that lies in it.

    Raises:
        DigestMismatchError: There is none, it is of another key, or a file is not as it was signed.
        MissingExtraError: model-signing is not installed.
    """
    path = folder / NAME
    if not path.is_file():
        message = f"{folder} has no {NAME}: nobody signed it. Ask its author to publish with `--sign`."
        raise DigestMismatchError(message)
    signing, hashing = _package()
    config = signing.verifying.Config().set_hashing_config(_covering(hashing, path))
    try:
        config.use_elliptic_key_verifier(public_key=public_key).verify(folder, path)
    except Exception as error:
        message = (
            f"the signature of {folder} does not hold for {public_key}: {error}. Expected the files as their "
            "author signed them. Use none of them; fetch them again, or ask the author for the right key."
        )
        raise DigestMismatchError(message) from error


def _covering(hashing: ModuleType, signature: Path) -> object:
    # The Hub's cache is made of links; the Hub itself adds .gitattributes, which is left out by default.
    config = hashing.Config().use_file_serialization().set_allow_symlinks(True)
    return config.set_ignored_paths(paths=[signature])


def _package() -> tuple[ModuleType, ModuleType]:
    try:
        import model_signing
    except ImportError as error:
        message = (
            f"signatures need model-signing ({error}). Install it: pip install 'beats-trainer[signing]'."
        )
        raise MissingExtraError(message) from error
    return model_signing, model_signing.hashing
