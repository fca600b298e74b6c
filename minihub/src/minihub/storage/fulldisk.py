"""A full disk, however it shows: in Python's files, in SQLite, and in git, which has words or none for it."""

import errno
import os
import sqlite3
from pathlib import Path

import pygit2

from minihub.storage.durable import draft_file, sync_file

NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no space, none for this user, none for a file so large
SQLITE_CODES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
TRIAL_SIZE = 16 << 20  # bytes; more than any object that goes into git here
PIECE = bytes(1 << 20)

Failure = OSError | sqlite3.Error | pygit2.GitError


def is_full(error: Failure, drafts: Path) -> bool:
    """Whether an error means that nothing more can be stored on the disk that `drafts` is on."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in SQLITE_CODES
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in NUMBERS
    if any(os.strerror(number) in str(error) for number in NUMBERS):
        return True
    return isinstance(error, pygit2.GitError) and _has_no_room(drafts)


def _has_no_room(drafts: Path) -> bool:
    """Try it: libgit2 often keeps no reason, and free bytes mislead, since what did not fit is gone again."""
    try:
        with draft_file(drafts) as (_, file):
            for _ in range(TRIAL_SIZE // len(PIECE)):
                file.write(PIECE)
            sync_file(file)
    except OSError as error:
        if error.errno in NUMBERS:
            return True
        raise
    return False
