# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Histograms, timers and summaries: distributions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._summary_cell import SummaryCell
from otelkit._core._timing import Timing
from otelkit.exceptions import DeclarationError
from otelkit.instruments._instrument import Instrument, Kind, Metric, checked_bounds, declared
from otelkit.instruments._timed import timed
from otelkit.instruments.registry import Registry, default_registry

__all__ = ("Histogram", "Summary", "Timer", "histogram", "summary", "timer")

F = TypeVar("F", bound=Callable[..., Any])


class Histogram(Instrument[HistogramCell]):
    """A distribution in buckets; see `histogram`."""

    def observe(self, value: float, /, **labels: object) -> None:
        """Record ``value`` (finite). Thread-safe, never raises."""
        cell = self._cell(labels)
        if cell is not None:
            cell.observe(value)


class BoundTimer:
    """
    A timer with its labels: a context manager, a decorator, or ``start`` and ``stop``.

    The context manager and the pair of calls are for one block at a time; nested or concurrent ones take a `Timing`
    each, from ``time()``. As a decorator it is safe everywhere, also on coroutines and
    generators.
    """

    __slots__ = ("_cell", "_timing")

    def __init__(self, cell: HistogramCell | None) -> None:
        self._cell = cell
        self._timing = Timing(cell)

    def time(self) -> Timing:
        """Return a `Timing` of its own."""
        return Timing(self._cell)

    def observe(self, seconds: float) -> None:
        """Record a duration that was measured elsewhere, in seconds."""
        if self._cell is not None:
            self._cell.observe(seconds)

    def start(self) -> BoundTimer:
        """Start, or start again."""
        self._timing.start()
        return self

    def stop(self) -> float:
        """Record and return the seconds since `start`."""
        return self._timing.stop()

    def __enter__(self) -> Timing:
        return self._timing.start()

    def __exit__(self, *_: object) -> None:
        self._timing.stop()

    def __call__(self, function: F) -> F:
        """Decorate: every call's seconds are recorded, however it ends; a generator's until its end."""
        return timed(function, self._cell)


class Timer(Histogram):
    """A histogram of seconds that measures by itself; see `timer`."""

    def time(self, /, **labels: object) -> BoundTimer:
        """Return a context manager, decorator, and start/stop pair for these labels. Never raises."""
        return BoundTimer(self._cell(labels))

    def start(self, /, **labels: object) -> BoundTimer:
        """Return a timer that runs; its ``stop()`` records."""
        return self.time(**labels).start()

    def __call__(self, function: F) -> F:
        """Decorate a function with a timer without labels."""
        return self.time()(function)


class Summary(Instrument[SummaryCell]):
    """Quantiles over a sliding window; see `summary`."""

    def observe(self, value: float, /, **labels: object) -> None:
        """Record ``value`` (finite). Thread-safe, never raises."""
        cell = self._cell(labels)
        if cell is not None:
            cell.observe(value)


def histogram(
    name: str,
    *,
    labels: Iterable[str] | None = None,
    unit: str = "",
    description: str = "",
    buckets: Iterable[float] | None = None,
    registry: Registry = default_registry,
) -> Histogram:
    """
    Declare a histogram, or return the one declared alike.

    Args:
        name: OpenTelemetry name.
        labels: Label names, in order.
        unit: UCUM.
        description: One sentence.
        buckets: Upper bounds, finite, ascending; +Inf is added. By default the
            semantic conventions' for seconds, else the specification's.

    Raises:
        DeclarationError: Malformed, or declared otherwise before.
    """
    return _histogram(Histogram, name, labels, unit, description, buckets, registry)


def timer(
    name: str,
    *,
    labels: Iterable[str] | None = None,
    description: str = "",
    buckets: Iterable[float] | None = None,
    registry: Registry = default_registry,
) -> Timer:
    """Declare a histogram of seconds that measures by itself; arguments and errors as `histogram`."""
    return _histogram(Timer, name, labels, "s", description, buckets, registry)


def _histogram(
    kind: type[Any],
    name: str,
    labels: Iterable[str] | None,
    unit: str,
    description: str,
    buckets: Iterable[float] | None,
    registry: Registry,
) -> Any:
    bounds = checked_bounds(buckets, f"histogram {name!r}")
    metric = Metric(name, Kind.HISTOGRAM, unit, description)
    made = declared(kind, "histogram", metric, labels, registry, bounds=bounds)
    if bounds is not None and made._definition.bounds != bounds:
        raise DeclarationError(
            f"buckets {list(made._definition.bounds or ())} for {name!r}, as it was declared before",
            list(bounds),
            f"histogram {name!r}",
            "Give the second one another name, or declare both alike.",
        )
    return made


def summary(
    name: str,
    *,
    labels: Iterable[str] | None = None,
    unit: str = "",
    description: str = "",
    quantiles: Iterable[float] = (0.5, 0.9, 0.95, 0.99),
    window_s: float = 600.0,
    registry: Registry = default_registry,
) -> Summary:
    """
    Declare a summary, or return the one declared alike.

    Args:
        name: OpenTelemetry name.
        labels: Label names, in order.
        unit: UCUM.
        description: One sentence.
        quantiles: Each between 0 and 1.
        window_s: Seconds that the quantiles look back; count and sum are
            since the start.

    Raises:
        DeclarationError: Malformed, or declared otherwise before.
    """
    where = f"summary {name!r}"
    try:
        wanted = tuple(quantiles)
    except TypeError:
        wanted = ()
    if not wanted or not all(isinstance(q, (int, float)) and 0 <= q <= 1 for q in wanted):
        raise DeclarationError("quantiles between 0 and 1, at least one", quantiles, where)
    if not isinstance(window_s, (int, float)) or not 0 < window_s < float("inf"):
        raise DeclarationError("window_s as seconds > 0", window_s, where)
    metric = Metric(name, Kind.SUMMARY, unit, description)
    made: Summary = declared(Summary, "summary", metric, labels, registry, quantiles=wanted, window_s=float(window_s))
    known = made._definition
    if (known.quantiles, known.window_s) != (wanted, window_s):
        raise DeclarationError(
            f"quantiles {list(known.quantiles)} over {known.window_s:g} s, as it was declared before",
            f"{list(wanted)} over {window_s:g} s",
            where,
            "Give the second one another name, or declare both alike.",
        )
    return made
