# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Locks that the kernel releases when their process ends, however it ends.

`flock` belongs to the open file, which a forked child shares: a child must
close what it inherits, or its parent would seem to live on in it.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from otelkit._core._fork import forks

__all__ = ("FILE_MODE", "Lock", "is_locked")

FILE_MODE = 0o600
_POLL_S = 0.005

_open: set[int] = set()


class Lock:
    """
    A lock on a file, exclusive between and within processes.

    Args:
        path: Of the file, or, once it is open, of its descriptor.
        flags: For `os.open`.

    Attributes:
        descriptor: Of the open file; gone in a forked child.

    Errors: OSError if the file cannot be opened.
    """

    def __init__(self, path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> None:
        self.descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, FILE_MODE)
        self._pid = os.getpid()
        _open.add(self.descriptor)

    def acquire(self, timeout_s: float = 0.0) -> bool:
        """Take the lock; False if somebody else has it for ``timeout_s`` seconds longer."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_POLL_S)
            else:
                return True

    def close(self) -> None:
        """Release the lock and close the file; again is harmless."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0 and self._pid == os.getpid():
            # First: a child that is forked from here on may keep the file open, but not the lock.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            _open.discard(descriptor)
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock on ``path``: no if there is no such file, yes if that cannot be known."""
    try:
        lock = Lock(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:  # no descriptor left, or no permission: whoever is taken for dead is folded and removed
        return True
    try:
        return not lock.acquire()
    finally:
        lock.close()


def _after_fork_in_child() -> None:
    for descriptor in _open:
        with suppress(OSError):
            os.close(descriptor)
    _open.clear()


forks.in_child(_after_fork_in_child)
