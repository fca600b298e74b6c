"""What DVC's names promise of a content: the digest that an object is named after."""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol, Self

from dvc_hf.hub import names
from dvc_hf.hub.errors import RejectedError

OID = re.compile(r"([0-9a-f]{32})(\.dir)?")
_OBJECT = re.compile(r"(?:^|/)files/md5/([0-9a-f]{2})/([0-9a-f]{30})(?:\.dir)?$")
LEGACY = "md5-dos2unix"  # of DVC 2: the digest of a text is that of its lines as Unix writes them
DVC_BLOCK = 1 << 20  # what DVC reads at once, and looks at to tell text from other bytes


class Digest(Protocol):
    """A digest in the making."""

    def update(self, data: bytes, /) -> object:
        """Take more of the content."""

    def hexdigest(self) -> str:
        """The digest of what was taken so far."""


@dataclass(frozen=True)
class Promise:
    """The digest that a content must have, and how DVC reckons it."""

    digest: str
    hash_name: str = "md5"

    @classmethod
    def of(cls, oid: object, hash_name: str) -> Self:
        """Read the name of an object.

        Raises:
            RejectedError: it is none, so that nothing may be read or written under it.
        """
        match = OID.fullmatch(oid) if isinstance(oid, str) else None
        if match is None:
            message = (
                f"cannot read the object {names.quoted(oid)}: expected an {hash_name} of 32 hexadecimal "
                "digits. The .dvc file or listing that names it is damaged: restore it from git."
            )
            raise RejectedError(message)
        is_legacy_text = hash_name == LEGACY and not match[2]  # listings are the same in both
        return cls(match[1], LEGACY if is_legacy_text else "md5")

    def __str__(self) -> str:
        return f"{self.hash_name} {self.digest}"

    def digester(self) -> Digest:
        """A fresh digest of this kind."""
        return _UnixText() if self.hash_name == LEGACY else hashlib.md5(usedforsecurity=False)

    def is_kept_by(self, content: bytes) -> bool:
        """Whether a content has the digest."""
        digester = self.digester()
        digester.update(content)
        return digester.hexdigest() == self.digest


def promise_of(path: str) -> Promise | None:
    """What the path of an object promises; None for other paths, old layouts of DVC's included."""
    match = _OBJECT.search(path)
    return Promise(match[1] + match[2]) if match else None


class _UnixText:
    """DVC 2's digest: each block that looks like text counts with Unix line ends."""

    def __init__(self) -> None:
        self._digest = hashlib.md5(usedforsecurity=False)
        self._pending = bytearray()

    def update(self, data: bytes) -> None:
        """Take more of the content."""
        self._pending += data
        while len(self._pending) >= DVC_BLOCK:
            self._digest.update(_as_unix(bytes(self._pending[:DVC_BLOCK])))
            del self._pending[:DVC_BLOCK]

    def hexdigest(self) -> str:
        """The digest of what was taken so far."""
        whole = self._digest.copy()
        whole.update(_as_unix(bytes(self._pending)))
        return whole.hexdigest()


def _as_unix(block: bytes) -> bytes:
    from dvc_data.hashfile.hash import dos2unix
    from dvc_data.hashfile.istextfile import DEFAULT_CHUNK_SIZE, istextblock

    is_text = bool(block) and istextblock(block[:DEFAULT_CHUNK_SIZE])
    return bytes(dos2unix(block)) if is_text else block
