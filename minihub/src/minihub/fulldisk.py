"""A full disk, however it shows: in Python's files, in SQLite and in git, which tells it in words alone."""

import errno
import os
import sqlite3

import pygit2

NUMBERS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
}  # no space, none left for this user, none for a file so large
SQLITE_CODES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}

Failure = OSError | sqlite3.Error | pygit2.GitError


def is_full(error: Failure) -> bool:
    """Whether an error says that nothing more can be stored."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in SQLITE_CODES
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in NUMBERS
    return any(os.strerror(number) in str(error) for number in NUMBERS)
