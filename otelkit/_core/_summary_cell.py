# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Summaries: quantiles over a sliding window, count and sum since the start.

The window is a ring of slices that age out one by one, as in the Prometheus
clients; each slice keeps a bounded uniform sample (reservoir, algorithm R).
"""

from __future__ import annotations

import math
import random
import time
from collections import deque

from otelkit._core._buckets import finite_only
from otelkit._core._cell import Cell
from otelkit._core._guard import guard
from otelkit._core._snapshot import SummaryPoint
from otelkit._core._timing import Timing

SLICES = 5
SLICE_SIZE = 1_000
"""Values a slice keeps, at most; from then on a uniform sample of this size."""


class _Slice:
    __slots__ = ("began", "seen", "values")

    def __init__(self, began: float) -> None:
        self.began = began
        self.seen = 0
        self.values: list[float] = []

    def add(self, value: float) -> None:
        self.seen += 1
        if len(self.values) < SLICE_SIZE:
            self.values.append(value)
        else:
            index = random.randrange(self.seen)  # noqa: S311 - sampling, not secrets
            if index < SLICE_SIZE:
                self.values[index] = value


class SummaryCell(Cell):
    """One summary series."""

    __slots__ = ("count", "slices", "sum")

    def reset(self) -> None:
        super().reset()
        self.count = 0
        self.sum = 0.0
        self.slices: deque[_Slice] = deque(maxlen=SLICES)

    def observe(self, value: float) -> None:
        """Record one finite observation; anything else is dropped and counted. Thread-safe, never raises."""
        if not next(self.tick) % 100:
            self.flush()
        self.buffer.append(value)

    def time(self) -> Timing:
        """Return a context manager that records the seconds its block takes."""
        return Timing(self)

    def drain(self) -> None:
        buffer = self.buffer
        size = len(buffer)
        values = finite_only(buffer[:size])
        current = self._current()
        count, total = self.count + len(values), self.sum + sum(values)
        del buffer[:size]
        self.count = count
        self.sum = total
        for value in values:
            current.add(value)
        if len(values) < size:
            guard.dropped(self.family.name, "not a finite number", size - len(values))

    def _current(self) -> _Slice:
        now = time.monotonic()
        width = self.family.window_s / SLICES
        if not self.slices or now - self.slices[-1].began >= width:
            self.slices.append(_Slice(now))
        return self.slices[-1]

    def point(self, now_ns: int) -> SummaryPoint | None:
        """Return count, sum and the window's quantiles (none while the window is empty)."""
        self.settle()
        if not self.count:
            return None
        oldest = time.monotonic() - self.family.window_s
        values = sorted(value for part in list(self.slices) if part.began > oldest for value in list(part.values))
        quantiles = tuple((q, quantile_of(values, q)) for q in self.family.quantiles) if values else ()
        return SummaryPoint(self.attributes, self.start_ns, now_ns, self.count, self.sum, quantiles)


def quantile_of(ascending: list[float], q: float) -> float:
    """Return the ``q`` quantile, interpolated between neighbours; ``ascending`` is not empty."""
    position = q * (len(ascending) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (position - below)
