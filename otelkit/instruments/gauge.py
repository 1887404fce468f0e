# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Gauges and up-down counters: values that go both ways; callback gauges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from otelkit._core._guard import guard
from otelkit._core._labels import text_of
from otelkit._core._number_cells import GaugeCell, UpDownCell
from otelkit._core._snapshot import Attributes, NumberPoint
from otelkit.exceptions import DeclarationError
from otelkit.instruments._instrument import Instrument, Kind, Metric, declared
from otelkit.instruments.registry import AcrossWorkers, Registry, default_registry

__all__ = ("Gauge", "UpDownCounter", "gauge", "up_down_counter")

Callback = Callable[[], float | Mapping[Any, float] | None]


class UpDownCounter(Instrument[UpDownCell]):
    """A sum that goes both ways, such as a queue's length; see `up_down_counter`."""

    def increment(self, value: float = 1, /, **labels: object) -> None:
        """Add ``value`` (finite). Thread-safe, never raises."""
        cell = self._cell(labels)
        if cell is not None:
            cell.increment(value)

    def decrement(self, value: float = 1, /, **labels: object) -> None:
        """Subtract ``value`` (finite). Thread-safe, never raises."""
        cell = self._cell(labels)
        if cell is not None:
            cell.decrement(value)


class Gauge(Instrument[GaugeCell]):
    """A value of the moment, such as a ratio or a temperature; see `gauge`."""

    _callback: _Callback | None = None

    def labels(self, **values: object) -> GaugeCell:
        if self._callback is not None:
            raise DeclarationError(
                "a gauge without a callback", sorted(values), f"metric {self.metric.name!r}", "Its callback labels it."
            )
        return super().labels(**values)

    def _cell(self, values: dict[str, object]) -> GaugeCell | None:
        if self._callback is None:
            return super()._cell(values)
        # Two sources of one series would make the page unreadable.
        guard.dropped(self.metric.name, "a gauge with a callback cannot be set")
        return None

    def set(self, value: float, /, **labels: object) -> None:
        """Set to ``value`` (finite). Thread-safe, never raises."""
        cell = self._cell(labels)
        if cell is not None:
            cell.set(value)

    def increment(self, value: float = 1, /, **labels: object) -> None:
        """Add ``value`` (finite); from 0 if never set. Thread-safe, never raises."""
        cell = self._cell(labels)
        if cell is not None:
            cell.increment(value)

    def decrement(self, value: float = 1, /, **labels: object) -> None:
        """Subtract ``value`` (finite); from 0 if never set. Thread-safe, never raises."""
        cell = self._cell(labels)
        if cell is not None:
            cell.decrement(value)


class _Callback:
    """Reads a gauge's value when somebody collects."""

    def __init__(self, gauge: Gauge, read: Callback) -> None:
        self.metric = gauge.metric
        self.labels = gauge._names
        self.family = gauge._family
        self.read = read
        self._series: dict[tuple[str, ...], Attributes] = {}

    def __call__(self, now_ns: int) -> list[tuple[Metric, list[Any]]]:
        if self.metric.name in self.family.options.hidden:
            return []
        try:
            found = self.read()
        except Exception as error:
            guard.failed(f"callback of {self.metric.name}", error)
            return []
        if found is None:
            return []
        values = found if isinstance(found, Mapping) else {(): found}
        points = [point for key, value in values.items() if (point := self._point(key, value, now_ns)) is not None]
        # Keys such as 1 and "1" are one series: the last one counts.
        return [(self.metric, list({id(point.attributes): point for point in points}.values()))]

    def _point(self, key: Any, value: Any, now_ns: int) -> NumberPoint | None:
        texts = tuple(map(text_of, key if isinstance(key, tuple) else (key,)))
        try:
            number = float(value)
            finite = number - number == 0
        except Exception:
            number, finite = 0.0, False
        if len(texts) != len(self.labels) or not finite:
            guard.dropped(
                self.metric.name, "callback value", detail=f"Expected {len(self.labels)} label(s) and a finite number."
            )
            return None
        texts = self.family.admitted(texts)
        attributes = self._series.get(texts)
        if attributes is None:
            limit = self.family.options.limit
            if len(self._series) >= limit:
                guard.dropped(self.metric.name, "more label sets than its limit", detail=f"The limit is {limit}.")
                return None
            attributes = self._series[texts] = self.family.attributes_of(texts)
        return NumberPoint(attributes, now_ns, now_ns, number)


def gauge(
    name: str,
    *,
    labels: Iterable[str] | None = None,
    unit: str = "",
    description: str = "",
    callback: Callback | None = None,
    across_workers: AcrossWorkers | None = None,
    registry: Registry = default_registry,
) -> Gauge:
    """
    Declare a gauge, or return the one declared alike.

    Args:
        name: OpenTelemetry name.
        labels: Label names, in order.
        unit: UCUM; ``1`` makes Prometheus' ``_ratio``.
        description: One sentence.
        callback: Reads the value at each collection: a number, None for
            nothing, or, with labels, a mapping from label value (a tuple, for
            several labels) to number. Should be quick. Its failures are
            counted and logged, never raised. Declaring again replaces it.
            Such a gauge cannot be set.
        across_workers: What a scrape of several workers shows: ``latest`` (if
            not given) what was set last; ``sum``, ``max``, ``min`` of the live
            workers; ``total`` of live and dead ones; ``each`` one series per
            live worker.

    Raises:
        DeclarationError: Malformed, or declared otherwise before.
    """
    if callback is not None and not callable(callback):
        raise DeclarationError(
            "a function as callback", callback, f"gauge {name!r}", "It is called at each collection."
        )
    made: Gauge = declared(Gauge, "gauge", Metric(name, Kind.GAUGE, unit, description), labels, registry)
    _share(name, across_workers, registry)
    if callback is not None:
        if made._callback is not None:
            registry.remove_source(made._callback)
        made._callback = _Callback(made, callback)
        for cell in made._family:
            cell.reset()
        registry.add_source(made._callback)
    return made


def up_down_counter(
    name: str,
    *,
    labels: Iterable[str] | None = None,
    unit: str = "",
    description: str = "",
    across_workers: AcrossWorkers | None = None,
    registry: Registry = default_registry,
) -> UpDownCounter:
    """
    Declare an up-down counter, or return the one declared alike.

    Args and errors: as `otelkit.counter`; ``across_workers`` as `gauge`, ``sum`` if not given.
    """
    metric = Metric(name, Kind.UP_DOWN_COUNTER, unit, description)
    made: UpDownCounter = declared(UpDownCounter, "up_down_counter", metric, labels, registry)
    _share(name, across_workers, registry)
    return made


def _share(name: str, policy: AcrossWorkers | None, registry: Registry) -> None:
    if policy is None:
        return
    if policy not in (known := get_args(AcrossWorkers)):
        raise DeclarationError(f"across_workers as one of {', '.join(known)}", policy, f"metric {name!r}")
    registry.across_workers[name] = policy
