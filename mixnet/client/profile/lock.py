"""The lock of a profile: only one daemon may hold it.

Promises: two daemons never run on one profile, even if one was killed: the kernel gives the lock back with the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mixnet.errors import LocalError


class AlreadyRunning(LocalError):
    """A daemon runs on this profile already: use it, or stop it with `mixnet client stop PROFILE`."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock at `path` as long as the block runs; AlreadyRunning if somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try(descriptor):
            raise AlreadyRunning
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """The process that holds the lock, or None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EROFS:  # no daemon can run there
            return None
        raise
    try:
        if _try(descriptor):
            return None
        return int(os.pread(descriptor, 20, 0) or b"0")
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
