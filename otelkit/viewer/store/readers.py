# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Connections for queries: a few, which threads take in turn."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otelkit.viewer.store.schema import open_for_reading

__all__ = ("Readers",)

_MOST = 4
"""Connections at a time; each holds a cache and two files, and more queries than that would only share two cores."""


class Readers:
    """
    A pool. Thread-safe.

    Not one connection a thread: a web server's threads come and go, and each connection has a cache of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free = threading.Semaphore(_MOST)
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def take(self) -> Iterator[sqlite3.Connection]:
        """
        Give a connection for a query or a few, waiting for one while all are in use; never within another's block.

        Errors: sqlite3.ProgrammingError once the store is closed.
        """
        with self._free:
            connection = self._next()
            try:
                yield connection
            finally:
                with self._lock:
                    keep = not self._closed
                    if keep:
                        self._idle.append(connection)
                if not keep:
                    connection.close()

    def _next(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("the store is closed")
            connection = self._idle.pop() if self._idle else None
        return open_for_reading(self._folder) if connection is None else connection

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
