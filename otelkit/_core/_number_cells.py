# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Cells of counters, up-down counters and gauges; `_cell` tells the algorithm."""

from __future__ import annotations

import math
from contextlib import suppress
from time import time_ns

from otelkit._core._buckets import Difference, finite_only
from otelkit._core._cell import MISS_BUDGET, Cell
from otelkit._core._guard import guard
from otelkit._core._snapshot import Exemplar, NumberPoint
from otelkit._core._span_source import span_source


class CounterCell(Cell):
    """A total that only rises. One increment of each interval may carry an exemplar."""

    __slots__ = ("armed", "captured", "exemplar", "total")

    def reset(self) -> None:
        super().reset()
        self.total: float = 0
        self.exemplar: Exemplar | None = None
        self.captured = False
        self.rearm()

    def increment(self, value: float = 1) -> None:
        """
        Add ``value``.

        Args:
            value: Finite, >= 0; anything else is dropped and counted.

        Thread-safe, never raises. Cost: a tick and an append; see
        benchmarks/README.md.
        """
        if not next(self.tick) % 100:
            self.flush()
        if self.armed and type(value) in (int, float):
            value = self.capture(value)
        self.buffer.append(value)

    def capture(self, value: float) -> float:
        """Return ``value``, as an exemplar if it was added in a sampled span."""
        ids = span_source.current()
        if ids is None:
            self.misses += 1
            self.armed = self.misses < MISS_BUDGET
            return value
        try:
            exemplar = Exemplar.of(value, *ids, time_ns())
        except OverflowError:  # an integer that no float can hold: drain() drops and counts it
            return value
        self.captured = True
        self.armed = False
        return exemplar

    def rearm(self) -> None:
        self.misses = 0
        self.armed = span_source.enabled and not self.captured

    def drain(self) -> None:
        buffer = self.buffer
        size = len(buffer)
        values = buffer[:size]
        dropped = 0
        try:
            added = sum(values)
            # A foreign number type would infect the total: float32 loses digits, int8 overflows.
            valid = type(added) in (int, float) and math.isfinite(added) and min(values, default=0) >= 0
        except Exception:
            added, valid = 0, False
        if not valid:
            values = [value for value in finite_only(values) if value >= 0]
            added = sum(values, 0.0)
            dropped = size - len(values)
        exemplar = self.exemplar
        if self.captured:
            exemplar = next((value for value in reversed(values) if type(value) is Exemplar), exemplar)
        total = self.total + added
        del buffer[:size]
        self.total = total
        self.exemplar = exemplar
        if dropped:
            guard.dropped(self.family.name, "not a finite number >= 0", dropped)
        tap = self.family.tap
        if tap is not None and added:
            tap(self.family.metric, self.attributes, [added])

    def point(self, now_ns: int) -> NumberPoint:
        """Return the total; the next sampled increment is the next exemplar."""
        self.settle()
        self.captured = False
        self.rearm()
        return NumberPoint(self.attributes, self.start_ns, now_ns, self.total, self.exemplar)


class UpDownCell(Cell):
    """A value that moves up and down from 0."""

    __slots__ = ("value",)

    def reset(self) -> None:
        super().reset()
        self.value: float | None = None

    def increment(self, value: float = 1) -> None:
        """Add ``value``: finite, of either sign; anything else is dropped and counted. Never raises."""
        if not next(self.tick) % 100:
            self.flush()
        self.buffer.append(value)

    def decrement(self, value: float = 1) -> None:
        """Subtract ``value``; see `increment`."""
        with suppress(Exception):  # not a number: drain() drops and counts it
            value = -value
        self.increment(value)

    def drain(self) -> None:
        buffer = self.buffer
        size = len(buffer)
        value = self.value
        kept = finite_only(buffer[:size])
        for item in kept:
            value = (value or 0) + item
        del buffer[:size]
        self.value = value
        if len(kept) < size:
            guard.dropped(self.family.name, "not a finite number", size - len(kept))

    def point(self, now_ns: int) -> NumberPoint | None:
        """Return the value, or None if there never was one."""
        self.settle()
        value = self.value
        return None if value is None else NumberPoint(self.attributes, self.start_ns, now_ns, value)


class GaugeCell(UpDownCell):
    """
    A value that is set, or moved; one never set starts at 0.

    What is set goes into the buffer as it is, what it moves by as a
    `Difference`: gauges are set far more often than moved.
    """

    __slots__ = ()

    def set(self, value: float) -> None:
        """
        Set the value.

        Args:
            value: Finite; anything else is dropped and counted.

        Thread-safe, never raises.
        """
        if not next(self.tick) % 100:
            self.flush()
        self.buffer.append(value)

    def increment(self, value: float = 1) -> None:
        """Add ``value``: finite, of either sign; anything else is dropped and counted. Never raises."""
        if not next(self.tick) % 100:
            self.flush()
        try:
            self.buffer.append(Difference(value + 0.0 if isinstance(value, (str, bytes)) else value))  # no numbers
        except Exception:
            guard.dropped(self.family.name, "not a finite number")

    def drain(self) -> None:
        buffer = self.buffer
        size = len(buffer)
        kept = values = buffer[:size]
        try:
            valid = math.isfinite(sum(values))
        except Exception:
            valid = False
        if not valid:
            kept = finite_only(values)
        moved = len(kept)  # what comes before the last set value does not matter any more
        while moved and type(kept[moved - 1]) is Difference:
            moved -= 1
        value = float(kept[moved - 1]) if moved else self.value
        for difference in kept[moved:]:
            value = (value or 0) + difference
        del buffer[:size]
        self.value = value
        if len(kept) < size:
            guard.dropped(self.family.name, "not a finite number", size - len(kept))
