# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The cell of a distribution; `_cell` tells the algorithm, `_buckets` what a shape is."""

from __future__ import annotations

import math
from time import time_ns
from typing import Any

from otelkit._core._buckets import finite_only
from otelkit._core._cell import MISS_BUDGET, Cell
from otelkit._core._guard import guard
from otelkit._core._snapshot import Exemplar, ExponentialPoint, HistogramPoint
from otelkit._core._span_source import span_source
from otelkit._core._timing import Timing

_LOWEST = -math.inf
"""One object for all cells: each ``-math.inf`` is a new one, of 24 bytes."""


class HistogramCell(Cell):
    """
    A distribution.

    Attributes:
        floor: What an observation must exceed to be worth a look-up for an
            exemplar; one that does not pays this comparison and no more.
            Low after a collection, then as high as the highest exemplar, so
            that the slowest sampled call is caught.
    """

    __slots__ = ("captures", "exemplars", "extremes", "floor", "state", "top")

    def reset(self) -> None:
        super().reset()
        self.state: Any = self.family.shape.empty
        self.exemplars: dict[int, Exemplar] | None = None
        self.extremes: dict[int, tuple[float, float]] | None = None
        self.begin_interval()

    def observe(self, value: float) -> None:
        """
        Record one observation.

        Args:
            value: Finite, in the metric's unit; anything else is dropped and
                counted.

        Thread-safe, never raises.
        """
        if not next(self.tick) % 100:
            self.flush()
        try:
            if value > self.floor:
                value = self.capture(value)
        except Exception:  # noqa: S110 - not a number: drain() drops and counts it
            pass
        self.buffer.append(value)

    def time(self) -> Timing:
        """Return a context manager that records the seconds its block takes."""
        return Timing(self)

    def capture(self, value: float) -> float:
        """Return ``value``, as an exemplar if it was observed in a sampled span."""
        ids = span_source.current()
        if ids is None:
            self.misses += 1
            if self.misses >= MISS_BUDGET and value > self.floor:
                self.floor = value  # from here on only a new maximum is tried
            return value
        self.captures += 1
        if value > self.top:
            self.top = value
        self.floor = self.top
        return Exemplar.of(value, *ids, time_ns())

    def rearm(self) -> None:
        self.misses = 0
        if not span_source.enabled:
            self.floor = math.inf
        elif self.captures < MISS_BUDGET:
            self.floor = _LOWEST
        else:
            self.floor = self.top

    def begin_interval(self) -> None:
        """Begin a new interval: a few exemplars, and the slowest."""
        self.captures = 0
        self.top = _LOWEST
        self.rearm()

    def drain(self) -> None:
        buffer = self.buffer
        size = len(buffer)
        if not size:
            return
        values = buffer[:size]
        family = self.family
        try:
            added = sum(values, 0.0)
            # A foreign number type would infect the state: float32 loses digits.
            valid = type(added) is float and added - added == 0.0
        except Exception:
            added, valid = 0.0, False
        if not valid:
            values = finite_only(values)
            added = sum(values, 0.0)
        state = self.state
        if values:
            if self.captures:
                self._keep_exemplars(values)
            state = family.shape.fold(state, values, added)
            if self.extremes:
                self._widen(min(values) + 0.0, max(values) + 0.0)
        del buffer[:size]
        self.state = state
        if len(values) < size:
            guard.dropped(family.name, "not a finite number", size - len(values))
        if family.tap is not None and values:
            family.tap(family.metric, self.attributes, values)

    def _keep_exemplars(self, values: list[float]) -> None:
        # The last of each bucket stays until a newer one comes, so that two scrapers both see it.
        kept = dict(self.exemplars or {})
        for value in values:
            if type(value) is Exemplar:
                kept[self.family.shape.slot(value)] = value
        self.exemplars = kept

    def _widen(self, low: float, high: float) -> None:
        self.extremes = {
            reader: (min(low, lowest), max(high, highest))
            for reader, (lowest, highest) in (self.extremes or {}).items()
        }

    @property
    def count(self) -> int:
        """Observations folded so far."""
        return self.state[0]

    def point(self, now_ns: int, reader: int | None) -> HistogramPoint | ExponentialPoint | None:
        """Return the distribution, or None while empty; ``reader``: see `Store.snapshot`."""
        if reader is None:
            self.settle()
            state = self.state
            extremes = (state[2], state[3])
        else:
            state, extremes = self._since_last(reader)
        self.begin_interval()
        if not state[0]:
            return None
        exemplars = tuple(self.exemplars.values()) if self.exemplars else ()
        return self.family.shape.point(state, extremes, self.attributes, self.start_ns, now_ns, exemplars)

    def _since_last(self, reader: int) -> tuple[Any, tuple[float, float]]:
        """Return the state and the extremes since this reader's last look, of one and the same moment."""
        held = self.take_token()
        try:
            if held:
                self.drain()
            state = self.state
            known = self.extremes or {}
            extremes = known.get(reader, (state[2], state[3]))
            self.extremes = {**known, reader: (math.inf, -math.inf)}
            return state, extremes
        finally:
            if held:
                self.token.append(None)
