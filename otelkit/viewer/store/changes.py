# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Who is told of commits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from otelkit._core._guard import guard
from otelkit.viewer.store.model import Change

__all__ = ("Changes",)


class Changes:
    """The last commit, and the subscribers. Thread-safe."""

    def __init__(self) -> None:
        self.last = Change(0, frozenset(), (), 0, 0)
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[Change], None]] = {}
        self._next = 0

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Have ``callback`` called after each commit, until the returned function is called."""
        with self._lock:
            number = self._next
            self._next += 1
            self._callbacks[number] = callback

        def unsubscribe() -> None:
            with self._lock:
                self._callbacks.pop(number, None)

        return unsubscribe

    def publish(self, metrics: frozenset[str], traces: tuple[str, ...], points: int, spans: int) -> None:
        """Tell everybody; for the writer."""
        self.last = Change(self.last.sequence + 1, metrics, traces, points, spans)
        with self._lock:
            callbacks = list(self._callbacks.values())
        for callback in callbacks:
            with guard.shield("viewer: live stream"):
                callback(self.last)
