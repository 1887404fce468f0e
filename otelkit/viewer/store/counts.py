# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer's own counts: what came, what was refused, and why."""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import Any

from otelkit.viewer.store.catalogue import canonical
from otelkit.viewer.store.model import Attributes, Sender

__all__ = ("Counts", "Held", "Senders")

_MAX_SENDERS = 1_000
_SAME_EXPORT_NS = 500_000_000
"""An export that is split arrives in several requests; they are no interval."""


class Counts:
    """Counts by name, such as ``refused.points.series_limit``. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, name: str, items: int = 1) -> None:
        """Count ``items`` more."""
        if items:
            with self._lock:
                self._counts[name] = self._counts.get(name, 0) + items

    def read(self) -> dict[str, int]:
        """Return all counts, by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))


class Held:
    """
    How many traces and spans are held; counted once, when the file is opened.

    Attributes:
        latest_ns: Latest end of a span.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.traces, self.spans, self.latest_ns = connection.execute(
            "SELECT count(*), coalesce(sum(spans), 0), coalesce(max(start_ns + duration_ns), 0) FROM traces"
        ).fetchone()

    def add(self, traces: int, spans: int, latest_ns: int) -> None:
        """Count more, or less."""
        self.traces += traces
        self.spans += spans
        self.latest_ns = max(self.latest_ns, latest_ns)


class Senders:
    """Who sends, and how often. Thread-safe; knows the last thousand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[bytes, dict[str, Any]] = {}

    def saw(self, resource: Attributes, points: int, spans: int) -> None:
        """Take note of an arrival."""
        key, now_ns = canonical(resource), time.time_ns()
        with self._lock:
            known = self._known.pop(key, None) or {
                "resource": resource, "latest": 0, "metrics": 0, "interval": 0.0, "points": 0, "spans": 0
            }  # fmt: skip
            self._known[key] = known  # last, as the latest
            if points and now_ns - known["metrics"] > _SAME_EXPORT_NS and known["metrics"]:
                known["interval"] = (now_ns - known["metrics"]) / 1e9
            if points:
                known["metrics"] = now_ns
            known["latest"] = now_ns
            known["points"] += points
            known["spans"] += spans
            if len(self._known) > _MAX_SENDERS:
                self._known.pop(next(iter(self._known)))

    def read(self) -> list[Sender]:
        """Return all, latest first."""
        with self._lock:
            return [
                Sender(each["resource"], each["latest"], each["interval"], each["points"], each["spans"])
                for each in reversed(list(self._known.values()))
            ]
