# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Rates: how fast a counter rose, over a sliding window."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from otelkit._core._labels import text_of
from otelkit._core._snapshot import Attributes, NumberPoint
from otelkit.exceptions import DeclarationError
from otelkit.instruments._instrument import Kind, Metric
from otelkit.instruments.counter import Counter
from otelkit.instruments.registry import Registry, default_registry

__all__ = ("Rate", "rate")


class Rate:
    """
    A gauge derived from a counter: units per second over the last ``window_s``.

    It is computed at each collection from the counter's totals then and
    before, so it costs the code that counts nothing. Collections further
    apart than the window give the rate between them.
    """

    def __init__(self, metric: Metric, of: Counter, window_s: float) -> None:
        self.metric = metric
        self.window_s = window_s
        self._of = of
        self._history: dict[int, tuple[Attributes, deque[tuple[float, float]]]] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.metric, self._of, self.window_s)

    def value(self, **labels: object) -> float:
        """Return the rate of one series now, per second; 0.0 before there are two readings."""
        wanted = {name: text_of(value) for name, value in labels.items()}
        for point in self.read(time.time_ns())[0][1]:
            if point.attributes == wanted:
                return point.value
        return 0.0

    def read(self, now_ns: int) -> list[tuple[Metric, list[Any]]]:
        """Read the counter and return the rates."""
        now = time.monotonic()
        with self._lock:
            points = [
                NumberPoint(total.attributes, now_ns, now_ns, self._advance(now, total))
                for _, totals in self._of._family.points(now_ns, None)
                for total in totals
            ]
        return [(self.metric, points)]

    def after_fork(self) -> None:
        """Start from zero with a fresh lock: at the fork another thread may have held it."""
        self._lock = threading.Lock()
        self._history = {}

    def _advance(self, now: float, total: NumberPoint) -> float:
        _, history = self._history.setdefault(id(total.attributes), (total.attributes, deque()))
        if not history:
            history.append((now - max((total.time_ns - total.start_ns) / 1e9, 1e-9), 0.0))
        # One reading at or before the window's edge stays: the rate is taken from there.
        while len(history) > 1 and history[1][0] <= now - self.window_s:
            history.popleft()
        then, before = history[0]
        if total.value < before:  # the process forked: the total started again from zero
            history.clear()
            history.append((now, total.value))
            return 0.0
        if now - history[-1][0] >= self.window_s / 60:  # at most 60 readings, however often somebody looks
            history.append((now, total.value))
        return (total.value - before) / (now - then) if now > then else 0.0


def rate(
    name: str,
    of: Counter,
    *,
    window_s: float = 60.0,
    description: str = "",
    registry: Registry = default_registry,
) -> Rate:
    """
    Declare a rate, or return the one declared alike.

    Args:
        name: OpenTelemetry name of the gauge.
        of: The counter; its labels are the rate's.
        window_s: Seconds to look back.
        description: One sentence.

    Raises:
        DeclarationError: Malformed, or declared otherwise before.
    """
    where = f"rate {name!r}"
    if not isinstance(of, Counter):
        raise DeclarationError("a counter", of, where, "Declare one with otelkit.counter().")
    if not isinstance(window_s, (int, float)) or not 0 < window_s < float("inf"):
        raise DeclarationError("window_s as seconds > 0", window_s, where)
    unit = f"{of.metric.unit}/s" if of.metric.unit else "1/s"
    metric = Metric(name, Kind.GAUGE, unit, description)
    registry.declare(metric, of._names, where)
    fresh = Rate(metric, of, float(window_s))
    made = registry.instrument(name, lambda: fresh)
    if not isinstance(made, Rate):
        raise DeclarationError(f"metric {name!r} to stay a {type(made).__name__}", "a rate", where)
    if (made._of, made.window_s) != (of, fresh.window_s):
        known = f"a rate of {made._of.metric.name!r} over {made.window_s:g} s, as it was declared before"
        raise DeclarationError(known, f"one of {of.metric.name!r} over {window_s:g} s", where)
    if made is fresh:
        registry.add_source(made.read)
    return made


def _restore(metric: Metric, of: Counter, window_s: float) -> Rate:
    return rate(metric.name, of, window_s=window_s, description=metric.description)
