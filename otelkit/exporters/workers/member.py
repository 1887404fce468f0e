# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""This process among those that share a folder: it is seen to live, can be asked, and leaves what it has counted."""

from __future__ import annotations

import os
import secrets
import select
import threading
import time
from pathlib import Path

from otelkit._core._fork import forks
from otelkit.exporters.workers import locks, wire
from otelkit.exporters.workers.folder import ALIVE, NEW, Folder
from otelkit.exporters.workers.wire import Snapshot

__all__ = ("Member", "ask", "member_of", "ring")

_ANSWER_POLL_S = (0.001, 0.01)


class Member:
    """
    One process's membership; it ends with the process.

    Attributes:
        pid: Of the process.
        name: Never used by another process, nor by a later one with the same id.
        started_ns: Unix time at which it was made.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.pid = os.getpid()
        self.name = f"{self.pid}-{secrets.token_hex(8)}"
        self.started_ns = time.time_ns()
        self._lock: locks.Lock | None = None
        self._entering = threading.Lock()

    @property
    def entered(self) -> bool:
        """Whether the others can see it."""
        return self._lock is not None

    def enter(self) -> None:
        """
        Become visible to the others; again is harmless.

        Raises:
            OSError: The folder cannot be written to.
        """
        with self._entering:
            if self._lock is not None:
                return
            new = self.folder.path_of(self.name, NEW)
            os.mkfifo(new, locks.FILE_MODE)
            # Locked before it has the name that others look for: unlocked it would be taken for a dead one's.
            lock = locks.Lock(new, os.O_RDWR)
            lock.acquire()
            os.rename(new, self.folder.path_of(self.name, ALIVE))
            self._lock = lock

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody asks for a snapshot; False if nobody does."""
        if self._lock is None:
            time.sleep(timeout_s)
            return False
        poll = select.poll()
        poll.register(self._lock.descriptor, select.POLLIN)
        if not poll.poll(timeout_s * 1e3):
            return False
        os.read(self._lock.descriptor, 4_096)
        return True

    def wake(self) -> None:
        """End a `wait` in another thread."""
        if self._lock is not None:
            os.write(self._lock.descriptor, b".")

    def write(self, snapshot: Snapshot) -> None:
        """
        Leave a snapshot for the others.

        Raises:
            OSError: It could not be written; the one before is still there.
        """
        self.enter()
        self.folder.write(self.name, wire.encode(snapshot))


_members: dict[Path, Member] = {}


def member_of(folder: Folder) -> Member:
    """Return this process's member of ``folder``: always the same, for what it has counted must count once."""
    return _members.setdefault(folder.path, Member(folder))


def ring(folder: Folder, name: str) -> bool:
    """Wake a member; False if there is nobody who listens."""
    try:
        descriptor = os.open(folder.path_of(name, ALIVE), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        os.write(descriptor, b"?")
    except BlockingIOError:  # so many requests wait that one more says nothing new
        pass
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def ask(folder: Folder, names: list[str], timeout_s: float) -> None:
    """Have members write what they hold now, and wait until they have done so; who is late is left behind."""
    asked_ns = time.monotonic_ns()
    waiting = [name for name in names if ring(folder, name)]
    deadline = time.monotonic() + timeout_s
    pause, longest = _ANSWER_POLL_S
    while waiting and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, longest)
        waiting = [name for name in waiting if folder.collected_at(name) < asked_ns]


forks.in_child(_members.clear)
