# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Resources of spans: kept once, because the same few come with every request."""

from __future__ import annotations

import sqlite3
import time

from otelkit.viewer.bounded import Remembered

__all__ = ("Blobs",)

_REMEMBERED_BYTES = 8 << 20
_TOUCH_NS = 3_600_000_000_000
"""How exactly it is known when a blob was used last; retention deletes those that nobody can use any more."""


class Blobs:
    """Ids by body; for the writer only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: Remembered[bytes, tuple[int, int]] = Remembered(_REMEMBERED_BYTES)

    def id_of(self, body: bytes) -> int:
        """Return the id of these bytes, stored where they are new."""
        now_ns = time.time_ns()
        known = self._known.get(body)
        if known is not None and now_ns - known[1] < _TOUCH_NS:
            return known[0]
        ((number,),) = self._connection.execute(
            "INSERT INTO blobs (used_ns, body) VALUES (?, ?) "
            "ON CONFLICT (body) DO UPDATE SET used_ns = excluded.used_ns RETURNING id",
            (now_ns, body),
        ).fetchall()
        self._known.put(body, (number, now_ns), len(body))
        return number

    def forget(self) -> None:
        """Drop what is remembered: the transaction was rolled back, or blobs were deleted."""
        self._known.clear()
