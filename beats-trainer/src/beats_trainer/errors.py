"""What can go wrong, as types. Each is also the standard type that fits, so plain `except OSError` works."""

from __future__ import annotations

from beats_trainer.redaction import veiled


class BeatsError(Exception):
    """Base of every error that this package raises on purpose; its message shows no token and no password."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(veiled(part) if isinstance(part, str) else part for part in args))


class UnknownCheckpointError(BeatsError, LookupError):
    """No pin has this name."""


class PinError(BeatsError, ValueError):
    """A pin, or the DVC config beside it, cannot be read."""


class CheckpointError(BeatsError, ValueError):
    """A file is no checkpoint that can be loaded safely and completely."""


class BundleError(BeatsError, ValueError):
    """A file is no bundle, not a whole one, or would put other bytes in the place of those that are there."""


class FetchError(BeatsError, OSError):
    """A checkpoint could not be brought from the Hub."""


class AccessError(FetchError, PermissionError):
    """The Hub did not let this token, or no token, read the file."""


class NotCachedError(FetchError, FileNotFoundError):
    """The file is not in the cache and the network may not or cannot be used."""


class DigestMismatchError(FetchError):
    """The bytes of a file are not those that its pin names."""


class RecordingError(BeatsError, ValueError):
    """A recording cannot be read as sound."""


class WaveformError(BeatsError, ValueError):
    """Audio that the encoder cannot take: empty, too short, not finite, of the wrong shape."""


class MissingExtraError(BeatsError, ImportError):
    """A package that only some uses need is not installed."""
