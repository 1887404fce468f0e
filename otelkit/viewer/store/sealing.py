# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Moving points from memory into blocks, some series with each commit.

`begin` freezes all heads; everything that arrives from then on goes to new ones. `step` packs some frozen heads.
When the last one is packed, the journal up to the freeze is not needed any more. A process that dies in between
finds those points in blocks and in the journal: readers take one of each time.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from otelkit.viewer.store import blocks, rollups
from otelkit.viewer.store.catalogue import Catalogue, LiveSeries
from otelkit.viewer.store.columns import ListHead, flat_of
from otelkit.viewer.store.flat import Flat, joined
from otelkit.viewer.store.model import Metric

__all__ = ("Sealing",)

_SERIES_A_STEP = 256


class Sealing:
    """
    The state of it; for the writer's thread only.

    Attributes:
        head_bytes: About what the heads take in memory, frozen ones left out.
        swept_ns: When the last heads were frozen that are all packed by now; what arrived before is in blocks.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: list[int] = []
        self._journal_end = 0
        self._frozen_series = 0
        self._began_at = time.monotonic()
        self._began_ns = 0
        self.head_bytes = 0
        self.swept_ns = 0

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
            # Neighbours are packed together: the series of a metric.
            self._waiting.sort(key=lambda number: (catalogue.series[number].metric.id, number))
        (end,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()
        self._journal_end = end
        self._frozen_series = len(self._waiting)
        self._began_at, self._began_ns = time.monotonic(), time.time_ns()
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
            The series, and how many of their frozen heads are in blocks now. `done` drops those after the commit.
        """
        alive = [live for number in self._waiting[:series] if (live := catalogue.series.get(number)) is not None]
        for _, of in groupby(alive, key=lambda live: live.metric.id):
            some = list(of)
            for at in range(0, len(some), _SERIES_A_STEP):
                self._write(some[at : at + _SERIES_A_STEP])
        self._connection.executemany(
            "UPDATE series SET first_ns = ?, last_ns = ? WHERE id = ?",
            [(live.first_ns, live.last_ns, live.id) for live in alive],
        )
        if len(self._waiting) <= series:
            self._connection.execute("DELETE FROM journal WHERE id <= ?", (self._journal_end,))
        return [(live, len(live.frozen)) for live in alive]

    def done(self, catalogue: Catalogue, packed: Iterable[tuple[LiveSeries, int]], series: int) -> None:
        """Let go of what `step` packed, after its commit."""
        with catalogue.lock:
            for live, heads in packed:
                live.frozen = live.frozen[heads:]
        del self._waiting[:series]
        if not self._waiting:
            self._journal_end = 0
            self.swept_ns = self._began_ns

    def _write(self, some: Sequence[LiveSeries]) -> None:
        """Pack the frozen heads of series of one metric."""
        metric = some[0].metric
        heads = [(live.id, head) for live in some for head in live.frozen]
        listed = [(number, head.points) for number, head in heads if isinstance(head, ListHead) and head.points]
        if listed:
            blocks.write_listed(self._connection, metric.id, listed)
        for layout, flat in flat_of([each for each in heads if not isinstance(each[1], ListHead)]).items():
            points = joined([flat])
            if points is not None:
                self._write_by_slot(metric, layout, points)

    def _write_by_slot(self, metric: Metric, layout: int, points: Flat) -> None:
        for number in np.unique(points.times_ns // blocks.SLOT_NS).tolist():
            slot = number * blocks.SLOT_NS
            part = points.cut(slot, slot + blocks.SLOT_NS)
            blocks.write(self._connection, metric, layout, blocks.RAW, slot, part)
            rollups.mark(self._connection, metric.id, slot)
