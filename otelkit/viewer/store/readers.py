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

_IDLE = 4


class Readers:
    """
    A pool. Thread-safe.

    Not one connection a thread: a web server's threads come and go, and each connection has a cache of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def take(self) -> Iterator[sqlite3.Connection]:
        """
        Give a connection for a query or a few.

        Errors: sqlite3.ProgrammingError once the store is closed.
        """
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("the store is closed")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = open_for_reading(self._folder)
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed and len(self._idle) < _IDLE
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
