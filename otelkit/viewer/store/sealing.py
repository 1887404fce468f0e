# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Moving points from memory into chunks, a few series with each commit.

`begin` freezes all heads; everything that arrives from then on goes to new ones. `step` packs some frozen heads.
When the last one is packed, the journal up to the freeze is not needed any more. A process that dies in between
finds those points in chunks and in the journal: readers take one of each time.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterable
from typing import Any

from otelkit.viewer.store.catalogue import Catalogue, LiveSeries
from otelkit.viewer.store.columns import (
    DAMAGED,
    HISTOGRAM_CODES,
    NUMBER_CODES,
    Head,
    HistogramHead,
    ListHead,
    NumberHead,
    pack,
    pack_list,
    unpack,
)

__all__ = ("Sealing",)

_FULL_POINTS = 512
"""A chunk with fewer is packed again together with what comes next."""
_SERIES_A_STEP = 150


class Sealing:
    """
    The state of it; for the writer's thread only.

    Attributes:
        head_bytes: About what the heads take in memory, frozen ones left out.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: list[int] = []
        self._journal_end = 0
        self._frozen_series = 0
        self._began_at = time.monotonic()
        self.head_bytes = 0

    @property
    def running(self) -> bool:
        """Whether frozen heads are left."""
        return bool(self._waiting) or self._journal_end > 0

    def is_due(self, limit_bytes: int, limit_s: float) -> bool:
        """Tell whether it is time to begin."""
        if self.running or not self.head_bytes:
            return False
        return self.head_bytes > limit_bytes or time.monotonic() - self._began_at > limit_s

    def begin(self, catalogue: Catalogue) -> None:
        """
        Freeze all heads.

        Everything in the journal must be in them: call it before the row of a commit is written.
        """
        with catalogue.lock:
            for live in catalogue.series.values():
                if live.head is not None:
                    live.frozen = (*live.frozen, live.head)
                    live.head = None
                    self._waiting.append(live.id)
        (end,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()
        self._journal_end = end
        self._frozen_series = len(self._waiting)
        self._began_at = time.monotonic()
        self.head_bytes = 0

    def pace(self, limit_bytes: int) -> int:
        """Return how many series to pack with this commit, so that all are before new heads are half as large."""
        share = self.head_bytes / (limit_bytes / 2)
        left = math.ceil(self._frozen_series * (1 - share))
        return max(_SERIES_A_STEP, len(self._waiting) - left)

    def step(self, catalogue: Catalogue, series: int) -> list[tuple[LiveSeries, int]]:
        """
        Pack the frozen heads of so many series; within a transaction.

        Returns:
            The series, and how many of their frozen heads are in chunks now. `done` drops those after the commit.
        """
        packed: list[tuple[LiveSeries, int]] = []
        for number in self._waiting[:series]:
            live = catalogue.series.get(number)
            if live is not None:
                for head in live.frozen:
                    self._write(live, head)
                packed.append((live, len(live.frozen)))
                self._connection.execute(
                    "UPDATE series SET first_ns = ?, last_ns = ? WHERE id = ?", (live.first_ns, live.last_ns, number)
                )
        if len(self._waiting) <= series:
            self._connection.execute("DELETE FROM journal WHERE id <= ?", (self._journal_end,))
        return packed

    def done(self, catalogue: Catalogue, packed: Iterable[tuple[LiveSeries, int]], series: int) -> None:
        """Let go of what `step` packed, after its commit."""
        with catalogue.lock:
            for live, heads in packed:
                live.frozen = live.frozen[heads:]
        del self._waiting[:series]
        if not self._waiting:
            self._journal_end = 0

    def _write(self, live: LiveSeries, head: Head) -> None:
        points, replaced = self._joined_with_last(live, head)
        if replaced:
            self._connection.execute("DELETE FROM chunks WHERE id = ?", (replaced,))
        times, body = _packed(points)
        live.packed_until_ns = max(live.packed_until_ns, *times)
        self._connection.execute(
            "INSERT INTO chunks (series_id, start_ns, end_ns, resolution_ns, layout_id, points, body) "
            "VALUES (?, ?, ?, 0, ?, ?, ?)",
            (live.id, min(times), max(times), head.layout_id, len(times), body),
        )

    def _joined_with_last(self, live: LiveSeries, head: Head) -> tuple[Head, int]:
        """Return the points of the series' last chunk, if that is short, and these; and that chunk's id."""
        if isinstance(head, ListHead):
            return head, 0
        row = self._connection.execute(
            "SELECT id, points, body FROM chunks WHERE series_id = ? AND resolution_ns = 0 AND layout_id = ? "
            "ORDER BY end_ns DESC LIMIT 1",
            (live.id, head.layout_id),
        ).fetchone()
        if row is None or row[1] >= _FULL_POINTS:
            return head, 0
        number, points, body = row
        codes = HISTOGRAM_CODES if isinstance(head, HistogramHead) else NUMBER_CODES
        joined: Any = HistogramHead(head.layout_id, head.bounds) if isinstance(head, HistogramHead) else NumberHead()
        try:
            joined.extend(unpack(body, points, codes))
        except DAMAGED:
            return head, 0
        joined.extend(head.columns())
        return joined, number


def _packed(head: Head) -> tuple[list[int], bytes]:
    if isinstance(head, ListHead):
        return [point.time_ns for point in head.points], pack_list(head.points)
    return list(head.times_ns), pack(head.columns())
