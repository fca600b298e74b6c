"""What is known of a recording once it has been read to its end."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any, Self

from beats_trainer.audio.damage import FAILURES, PASSING, Finding


@dataclass(frozen=True)
class FileStamp:
    """By which a file that was read is known again: bytes, and when it was last written to."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Self:
        """Of the file as it is now."""
        status = os.stat(path)  # noqa: PTH116 - a path may be bytes of no encoding
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class RecordingFacts:
    """One recording, read.

    Args:
        size: Bytes of the file.
        clips: Clips that it was cut into.
        left_out: Clips that could not be embedded.
        duration_s: Seconds that were decoded.
        sample_rate: Hz, of the file.
        channels: Of the file.
        format: Of the file.
        digest: Of the 16 kHz waveform: recordings that sound the same have the same.
        described: Of what its metadata say; tells whether they changed.
        findings: What is wrong with it.
    """

    size: int
    clips: int = 0
    left_out: int = 0
    duration_s: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    format: str = ""
    digest: str = ""
    described: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether something that was asked for could not be embedded."""
        return any(finding.kind in FAILURES for finding in self.findings)

    @property
    def passing(self) -> bool:
        """Whether the next run should try again, though the file is the same."""
        return any(finding.kind in PASSING for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"findings": [[f.kind, f.detail] for f in self.findings]}


def read_facts(written: dict[str, Any]) -> RecordingFacts:
    """The inverse of `as_dict`."""
    findings = tuple(Finding(kind, detail) for kind, detail in written["findings"])
    return RecordingFacts(**(written | {"findings": findings}))
