"""The lock under which a file enters the cache: huggingface_hub's own, or none where there are no locks."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from huggingface_hub.utils import WeakFileLock

logger = logging.getLogger(__name__)

# What file systems without locks answer: some NFS, FUSE and cluster mounts.
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock, so that processes that ask at once fetch once.

    Without locks each fetches for itself: under a name of its own, judged by digest, renamed at the end.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(WeakFileLock(str(path)))
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            logger.warning("%s cannot be locked (%s): processes that ask at once fetch twice", path, error)
        yield
