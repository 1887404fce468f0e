# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Cells: where observations land without a lock, and are folded when somebody reads.

The algorithm, once for all of them:

- A writer ticks (``next`` on an ``itertools.count``) and appends to a list.
  Both are one C call under the interpreter lock: nothing is lost between
  threads, signal handlers and finalisers.
- Whoever folds first takes the *token* (``del token[0]``: one bytecode, so an
  asynchronous exception cannot land between taking it and the ``try`` that
  gives it back; ``lock.acquire(False)`` leaked 33,922 times in 39,997
  interrupts). It copies what is in the list, computes the new state, and then,
  with no call in between, deletes what it copied and stores the state.
- A writer folds at each 128th tick, so the list stays short without readers.
- A reader takes the state: one tuple, always whole.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count as ticks
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, Protocol

from otelkit._core._buckets import Difference, Shape, finite_only
from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit._core._snapshot import Attributes, Exemplar, ExponentialPoint, HistogramPoint, NumberPoint
from otelkit._core._span_source import span_source

if TYPE_CHECKING:
    from otelkit._core._family import Family
    from otelkit._core._labels import Key

MISS_BUDGET = 4
"""Look-ups a chunk of 128 may spend on calls that are in no sampled span."""

_LOWEST = -math.inf
"""One object for all cells: each ``-math.inf`` is a new one, of 24 bytes."""

_TOKEN_WAIT_S = 0.1


def ticked(tick: ticks[int]) -> int:
    """Return how often ``tick`` was advanced; reading does not advance it."""
    return int(repr(tick)[6:-1]) - 1  # "count(5)": pickling of counts, the other way to read one, ends with 3.14


class Cell:
    """One series. Subclasses say what a batch of items means."""

    __slots__ = ("attributes", "buffer", "family", "key", "misses", "start_ns", "tick", "token")

    def __init__(self, family: Family, key: Key, attributes: Attributes) -> None:
        self.family = family
        self.key = key
        self.attributes = attributes
        self.reset()

    def reset(self) -> None:
        """Start from zero; the state of a new cell and of a forked child's."""
        self.tick = ticks(1)
        self.buffer: list[Any] = []
        self.token: list[None] = [None]
        self.start_ns = time_ns()
        self.misses = 0

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # By definition, never by content: a detached copy would record to nobody.
        return _restore, (self.family, self.key)

    def flush(self) -> None:
        """Fold what is buffered, unless somebody is doing so already."""
        forks.notice()
        try:
            del self.token[0]
        except IndexError:
            return
        try:
            self.drain()
        except Exception as error:
            guard.failed("folding", error)
        finally:
            self.token.append(None)
        self.rearm()

    def settle(self) -> None:
        """Fold what is buffered, waiting for whoever is doing so; for readers."""
        if not self.buffer and self.token:  # in this order: a token means that what was deleted is in the state
            return
        if self.take_token():
            try:
                self.drain()
            finally:
                self.token.append(None)

    def take_token(self) -> bool:
        """Wait for the token; False if it does not come."""
        deadline = 0.0
        while True:
            try:
                del self.token[0]
            except IndexError:
                # Bounded: the folder may be the very thread that a signal handler interrupted to get here.
                now = time.monotonic()
                deadline = deadline or now + _TOKEN_WAIT_S
                if now > deadline:
                    return False
                time.sleep(0)
            else:
                return True

    def drain(self) -> None:
        """Fold the buffer; only while holding the token."""
        raise NotImplementedError  # abstract

    def rearm(self) -> None:
        """Allow look-ups for exemplars again, within the budget of one chunk."""


def _restore(family: Family, key: Key) -> Cell:
    return family.hold(key)


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
        if not next(self.tick) & 127:
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
        if not next(self.tick) & 127:
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
        if not next(self.tick) & 127:
            self.flush()
        self.buffer.append(value)

    def increment(self, value: float = 1) -> None:
        """Add ``value``: finite, of either sign; anything else is dropped and counted. Never raises."""
        if not next(self.tick) & 127:
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
        if not next(self.tick) & 127:
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
            total = sum(values, 0.0)
            # A foreign number type would infect the state: float32 loses digits.
            valid = type(total) is float and total - total == 0.0
        except Exception:
            valid = False
        if not valid:
            values = finite_only(values)
        state = self.state
        if values:
            if self.captures:
                self._keep_exemplars(values)
            state = family.shape.fold(state, values)
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


class Observing(Protocol):
    """A cell that takes observations."""

    def observe(self, value: float) -> None: ...


class Timing:
    """
    Records the seconds between ``start`` and ``stop``.

    A context manager; also a pair of calls for code that cannot be a block.
    One at a time: for nested or concurrent blocks take one each.
    """

    __slots__ = ("_cell", "_started")

    def __init__(self, cell: Observing | None) -> None:
        self._cell = cell
        self._started: float | None = None

    def start(self) -> Timing:
        """Start, or start again."""
        self._started = perf_counter()
        return self

    def stop(self) -> float:
        """Record and return the seconds since `start`; 0.0, recording nothing, if there was none."""
        if self._started is None:
            return 0.0
        seconds = perf_counter() - self._started
        self._started = None
        if self._cell is not None:
            self._cell.observe(seconds)
        return seconds

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()


__all__ = ("Cell", "CounterCell", "GaugeCell", "HistogramCell", "Shape", "Timing", "ticked")
