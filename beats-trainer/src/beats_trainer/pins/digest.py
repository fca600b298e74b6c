"""Digests of files, and files judged by them."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path

from beats_trainer.errors import DigestMismatchError

# First the stronger; where the processor computes SHA-256 it is also the faster one.
ALGORITHMS = ("sha256", "md5", "git")
SHA256 = re.compile(r"[0-9a-f]{64}")
MD5 = re.compile(r"[0-9a-f]{32}")
GIT_SHA1 = re.compile(r"[0-9a-f]{40}")


def new_hash(algorithm: str) -> hashlib._Hash:
    """A running hash; all are used to recognise files, and md5 only where a pin has nothing else."""
    return hashlib.new(algorithm, usedforsecurity=False)


def _begun_hash(algorithm: str, size: int) -> hashlib._Hash:
    """The hash of a file of some size: git's, under which a Hub knows small files, begins with that."""
    if algorithm != "git":
        return new_hash(algorithm)
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def file_digest(path: Path, algorithm: str) -> str:
    """The digest of a file, read in pieces."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return hashlib.file_digest(file, lambda: _begun_hash(algorithm, size)).hexdigest()


def strongest_digest(digests: Mapping[str, str]) -> tuple[str, str] | None:
    """The algorithm and value to judge by."""
    return next(((name, digests[name]) for name in ALGORITHMS if digests.get(name)), None)


def is_file_of(path: Path, size: int | None, digests: Mapping[str, str]) -> bool:
    """Whether a file has this size and this digest; without a digest nothing is known, so it has not."""
    wanted = strongest_digest(digests)
    if wanted is None or (size is not None and path.stat().st_size != size):
        return False
    algorithm, value = wanted
    return hmac.compare_digest(file_digest(path, algorithm), value)


def check_file(path: Path, label: str, size: int | None, digests: Mapping[str, str]) -> None:
    """Compares a file with its size and digest.

    Raises:
        DigestMismatchError: With what was expected, what is there, and what to do.
    """
    found = path.stat().st_size
    if size is not None and found != size:
        raise digest_mismatch(label, f"{size:,} bytes", f"{found:,} bytes", str(path))
    wanted = strongest_digest(digests)
    if wanted is not None:
        algorithm, value = wanted
        actual = file_digest(path, algorithm)
        if not hmac.compare_digest(actual, value):
            raise digest_mismatch(label, f"{algorithm} {value}", f"{algorithm} {actual}", str(path))


def digest_mismatch(label: str, expected: str, got: str, where: str) -> DigestMismatchError:
    """The error for bytes that are not those of the pin."""
    message = (
        f"{where} is not {label}: expected {expected}, got {got}. "
        "The file was not used. Fetch it again; if that says the same, its source has changed: "
        f"see `beats info {label}`."
    )
    return DigestMismatchError(message)
