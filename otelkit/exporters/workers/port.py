# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The port of a group: one of its processes holds it, and when that ends the next one does."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from otelkit._core._fork import forks
from otelkit.exporters.workers import locks
from otelkit.exporters.workers.folder import Folder

if TYPE_CHECKING:
    from otelkit.exporters._metrics_server import MetricsServer

__all__ = ("Port",)

_PATIENCE_S = 1.0
"""How long the kernel may take to let go of the port of a process that has just ended."""

_held: set[Path] = set()


class Port:
    """
    This process's claim to the port.

    Whoever wants it takes the group's lock first: if that is free and the port is not, a stranger has it.

    Args:
        folder: The group's; None if there is none, and the port is then this process's or nobody's.
        bind: Makes the server, not started.

    Attributes:
        server: While this process has the port.
    """

    def __init__(self, folder: Folder | None, bind: Callable[[], MetricsServer]) -> None:
        self.server: MetricsServer | None = None
        self._folder = folder
        self._bind = bind
        self._lock: locks.Lock | None = None
        self._open = True
        self._taking = threading.Lock()

    def adopt(self, server: MetricsServer, folder: Folder) -> None:
        """Take a server whose port was not known before, and hold its group's lock."""
        self.server = server
        self._folder = folder
        self._lock = locks.Lock(folder.port_lock)
        self._lock.acquire()
        _held.add(folder.port_lock)

    def take(self) -> bool:
        """
        Bind the port; False if another process of the group has it, or after `release`.

        Raises:
            OSError: It cannot be bound, by nobody of the group.
        """
        with self._taking:
            return self.server is not None or (self._open and self._take())

    def _take(self) -> bool:
        folder = self._folder
        # What this very process holds is another reader's, which must not be mistaken for a worker.
        if folder is None or folder.port_lock in _held:
            self.server = self._bind()
            return True
        lock = locks.Lock(folder.port_lock)
        try:
            if not lock.acquire():
                return False
            self.server = self._bind() if folder.is_alone("") else self._bind_patiently()
            _held.add(folder.port_lock)
            self._lock = lock
            return True
        finally:
            if self._lock is not lock:
                lock.close()

    def _bind_patiently(self) -> MetricsServer:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._bind()
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def release(self) -> bool:
        """Stop answering and let the next one have the port, for good; tell whether this process had it."""
        self._open = False
        with self._taking:
            had = self.server is not None
            self._let_go()
            return had

    def after_fork_in_child(self) -> None:
        """Let go of what is the parent's."""
        self._taking = threading.Lock()
        self._let_go()

    def _let_go(self) -> None:
        server, self.server = self.server, None
        lock, self._lock = self._lock, None
        if server is not None:
            server.close()
        if lock is not None and self._folder is not None:
            _held.discard(self._folder.port_lock)
            lock.close()


forks.in_child(_held.clear)
