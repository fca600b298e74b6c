"""The tar of a bundle, read as what a stranger made: plain files alone, each as long as the manifest says."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from beats_trainer.errors import BundleError, DigestMismatchError
from beats_trainer.foreign.measure import shown
from beats_trainer.foreign.names import alike, is_plain
from beats_trainer.foreign.texts import Field, Text, parse_json
from beats_trainer.pins.digest import SHA256, new_hash

MANIFEST = "manifest.json"
FORMAT = "beats-bundle 1"
BLOCK = 1 << 20
LARGEST_MANIFEST = 1 << 20  # bytes; one of the whole family has 4,000
LARGEST_EXTENSION = 1 << 14  # bytes of what pax says of a file: a long name, a size above 8 GB
ADVICE = "Nothing was installed: carry it again."
# What tarfile raises for headers that lie. Caught round its calls alone.
_BROKEN = (tarfile.TarError, EOFError, ValueError, OverflowError)


@dataclass(frozen=True)
class Member:
    """One file of a bundle."""

    path: str
    size: int
    sha256: str


class Archive:
    """A bundle that is being read, from the first byte to the last.

    Args:
        bundle: The file.
        tar: The same, opened.
    """

    def __init__(self, bundle: Path, tar: tarfile.TarFile) -> None:
        self.bundle = bundle
        self._tar = tar
        self.members = self._manifest()
        self._refuse_excess()

    def bodies(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Each file and its bytes, which are compared with the manifest when the last of them is taken.

        Raises:
            BundleError: A file is there twice, is missing, is too many, or is no plain one.
            DigestMismatchError: A byte has changed.
        """
        missing = {member.path: member for member in self.members}
        while (info := self._next()) is not None:
            member = missing.pop(info.name, None)
            if member is None:
                known = any(info.name == other.path for other in self.members)
                found = "twice" if known else "which its manifest does not name"
                message = f"{self.bundle} holds {shown(info.name)}, {found}. {ADVICE}"
                raise BundleError(message)
            if info.size != member.size:
                message = (
                    f"{member.path} in {self.bundle} has {info.size:,} bytes; expected {member.size:,}, as "
                    f"the manifest says. {ADVICE}"
                )
                raise BundleError(message)
            yield member, self._blocks(info, member)
        if missing:
            names = ", ".join(sorted(missing)[:5])
            message = f"{self.bundle} is not whole: {names} missing. Carry it again."
            raise BundleError(message)

    def _next(self) -> tarfile.TarInfo | None:
        try:
            info = self._tar.next()
        except _BROKEN as error:
            raise _unreadable(self.bundle, error) from error
        if info is not None and info.issparse():
            message = f"{self.bundle} holds {shown(info.name)}, which is a file with holes. {ADVICE}"
            raise BundleError(message)
        return info

    def _blocks(self, info: tarfile.TarInfo, member: Member) -> Iterator[bytes]:
        running, size = new_hash("sha256"), 0
        file = self._tar.extractfile(info)
        while file is not None and (block := self._read(file)):
            running.update(block)
            size += len(block)
            yield block
        if (size, running.hexdigest()) != (member.size, member.sha256):
            message = (
                f"{member.path} in {self.bundle} has changed: expected {member.size:,} bytes, sha256 "
                f"{member.sha256}, got {size:,} bytes, sha256 {running.hexdigest()}. {ADVICE}"
            )
            raise DigestMismatchError(message)

    def _read(self, file: IO[bytes]) -> bytes:
        try:
            return file.read(BLOCK)
        except _BROKEN as error:
            raise _unreadable(self.bundle, error) from error

    def _manifest(self) -> list[Member]:
        info = self._next()
        file = self._tar.extractfile(info) if info is not None and info.name == MANIFEST else None
        if file is None or info is None or info.size > LARGEST_MANIFEST:
            message = f"{self.bundle} does not begin with {MANIFEST}: it is none of `beats bundle create`."
            raise BundleError(message)
        origin = Text("the manifest of", str(self.bundle), ADVICE, BundleError)
        manifest = parse_json(self._read(file), origin)
        if manifest["format"].text() != FORMAT:
            found = shown(manifest["format"].value)
            message = f"{self.bundle} has the format {found}, expected {FORMAT!r}. Is it a newer one?"
            raise BundleError(message)
        members = [_member(entry) for entry in manifest["files"].items()]
        refuse_twins(members, str(self.bundle))
        return members

    def _refuse_excess(self) -> None:
        announced, there = sum(member.size for member in self.members), self.bundle.stat().st_size
        if announced > there:
            message = f"{self.bundle} announces {announced:,} bytes, and has {there:,}. {ADVICE}"
            raise BundleError(message)


@contextmanager
def open_bundle(bundle: Path) -> Iterator[Archive]:
    """A bundle, its manifest read.

    Raises:
        BundleError: It is none.
    """
    try:
        tar = tarfile.open(bundle, "r:", tarinfo=_PlainInfo)  # noqa: SIM115 - closed below
    except _BROKEN as error:
        raise _unreadable(bundle, error) from error
    with tar:
        yield Archive(bundle, tar)


def refuse_twins(members: list[Member], where: str) -> None:
    """Refuses files that some systems would take for one another.

    Raises:
        BundleError: With their names.
    """
    times = Counter(alike(member.path) for member in members)
    twins = sorted({member.path for member in members if times[alike(member.path)] > 1})
    if twins:
        message = f"two files of {where} are called {', '.join(twins[:5])}. Put them into two bundles."
        raise BundleError(message)


def _member(entry: Field) -> Member:
    path, size, sha256 = entry["path"].text(), entry["size"].whole(), entry["sha256"].text()
    if not is_plain(path) or path == MANIFEST:
        entry["path"].refuse("a plain file name")
    if size is None:
        entry["size"].refuse("a number of bytes")
    if not SHA256.fullmatch(sha256):
        entry["sha256"].refuse("a sha256")
    return Member(path, size, sha256)


def _unreadable(bundle: Path, error: Exception) -> BundleError:
    reason = " ".join(str(error).split())[:200]
    message = f"{bundle} is no bundle that can be read ({reason}). Expected one of `beats bundle create`."
    return BundleError(message)


class _PlainInfo(tarfile.TarInfo):
    """A header that is a plain file's, or says the long name of one; looked at before it is followed."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _PlainInfo:
        """One header."""
        info = super().frombuf(buf, encoding, errors)
        extends = info.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME) and info.size <= LARGEST_EXTENSION
        if info.size < 0 or not (info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) or extends):
            message = f"it holds {shown(info.name)}, which is no plain file"
            raise ValueError(message)
        return info

    def _proc_gnusparse_10(self, *_: object) -> None:
        """A map of holes lies among the bytes of the file, and would be read into memory, however long."""
        message = f"it holds {shown(self.name)}, which is a file with holes"
        raise ValueError(message)
