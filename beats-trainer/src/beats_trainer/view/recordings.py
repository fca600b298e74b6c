"""Where the recordings that a table names are found: in a folder, or fetched for as long as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from beats_trainer.errors import MissingExtraError, RecordingError
from beats_trainer.recordings.remote import RemoteCache, is_url, unspoken

CACHE_BYTES = 10_000_000_000  # as `beats embed` takes


@dataclass(frozen=True)
class Recordings:
    """Those whose names are relative lie in `root`; those behind URLs need a `cache` to go through."""

    root: Path = Path()
    cache: RemoteCache | None = None

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The recording as a local file, which stays at least until the block ends.

        Raises:
            RecordingError: It lies behind a URL, and nothing is to be fetched.
            MissingExtraError: No package here can read such URLs.
            OSError: It cannot be fetched.
        """
        with ExitStack() as stack:
            yield self._fetched(name, stack) if is_url(name) else self.root / name

    def _fetched(self, url: str, stack: ExitStack) -> Path:
        if self.cache is None:
            message = "it lies behind a URL, which is fetched for a page with --fetch alone"
            raise RecordingError(message)
        try:
            return stack.enter_context(self.cache.local(url))
        except (MissingExtraError, RecordingError):
            raise
        except Exception as error:  # each filesystem of fsspec has its own
            message = f"it cannot be fetched: {unspoken(error, url)}"
            raise OSError(message) from error


@contextmanager
def recordings(root: Path | None = None, *, fetch: bool = False) -> Iterator[Recordings]:
    """Recordings to read from; what is fetched is gone when the block ends."""
    with TemporaryDirectory(prefix="beats-") as folder:
        yield Recordings(root or Path(), RemoteCache(Path(folder), CACHE_BYTES) if fetch else None)
