# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All metrics and series, in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from otelkit.viewer.store.columns import Head, head_of
from otelkit.viewer.store.model import Attributes, Metric, Series

__all__ = ("Catalogue", "LiveSeries", "canonical")

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.decode


def canonical(attributes: Mapping[str, Any]) -> bytes:
    """Return the bytes that attributes have in whatever order they come."""
    return _encode(attributes)


class LiveSeries:
    """
    A series with its points that are in no block yet.

    Attributes:
        head: What arrives now, or None.
        frozen: Heads that are being written into blocks just now.
        exemplars: As they came last, raw: a cumulative series repeats its exemplars with each export.
    """

    __slots__ = (
        "attributes",
        "exemplars",
        "first_ns",
        "frozen",
        "head",
        "id",
        "last_ns",
        "metric",
        "resource",
    )

    def __init__(self, number: int, metric: Metric, resource: Attributes, attributes: Attributes) -> None:
        self.id = number
        self.metric = metric
        self.resource = resource
        self.attributes = attributes
        self.first_ns = 0
        self.last_ns = 0
        self.head: Head | None = None
        self.frozen: tuple[Head, ...] = ()
        self.exemplars: frozenset[bytes] = frozenset()

    def head_for(self, layout_id: int, bounds: tuple[float, ...]) -> Head:
        """Return the head that takes points of that layout."""
        head = self.head
        if head is not None and head.layout_id == layout_id:
            return head
        if head is not None:
            self.frozen = (*self.frozen, head)
        head = self.head = head_of(self.metric.kind, layout_id, bounds)
        return head

    def heads(self) -> tuple[Head, ...]:
        """All points that are in no block."""
        return (*self.frozen, self.head) if self.head is not None else self.frozen

    def saw(self, first_ns: int, last_ns: int) -> None:
        """Take note of points between these times."""
        self.first_ns = min(self.first_ns or first_ns, first_ns)
        self.last_ns = max(self.last_ns, last_ns)

    def take_over(self, other: LiveSeries) -> None:
        """Take the points of another one, which is the same series."""
        self.head, self.frozen = other.head, other.frozen
        self.first_ns, self.last_ns = other.first_ns, other.last_ns

    def to_series(self) -> Series:
        """Return it for readers."""
        return Series(self.id, self.metric, self.resource, self.attributes, self.first_ns, self.last_ns)


class Catalogue:
    """
    Metrics and series by id and by identity; changed by the writer only, read by anybody.

    Attributes:
        lock: Held while heads change, and while they are copied.
        label_bytes: Of the labels of all series, and of their resources.
        removals: Grows with each series that is removed: whoever remembers series asks again then.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.removals = 0
        self.label_bytes = 0
        self.metrics: dict[int, Metric] = {}
        self.series: dict[int, LiveSeries] = {}
        self.layouts: dict[int, tuple[float, ...]] = {0: ()}
        self._metric_ids: dict[tuple[object, ...], int] = {}
        self._series_ids: dict[tuple[int, bytes, bytes], int] = {}
        self._layout_ids: dict[tuple[float, ...], int] = {}
        self._by_metric: dict[int, dict[int, LiveSeries]] = {}
        self._resources: dict[bytes, Attributes] = {}
        self._uses: Counter[bytes] = Counter()

    def load(self, connection: sqlite3.Connection, previous: Catalogue | None = None) -> None:
        """Read everything, into an empty catalogue; series that ``previous`` has keep their points in memory."""
        for number, name, kind, unit, description, temporality, monotonic, scope in connection.execute(
            "SELECT id, name, kind, unit, description, temporality, monotonic, scope FROM metrics"
        ):
            self._add_metric(Metric(number, name, kind, unit, description, temporality, bool(monotonic), scope))
        for number, bounds in connection.execute("SELECT id, bounds FROM layouts"):
            self._add_layout(number, tuple(_decode(bounds)))
        for number, metric_id, resource, attributes, first_ns, last_ns in connection.execute(
            "SELECT id, metric_id, resource, attributes, first_ns, last_ns FROM series"
        ):
            if metric_id in self.metrics:
                live = self._add_series(number, self.metrics[metric_id], resource, attributes)
                live.first_ns, live.last_ns = first_ns, last_ns
                if previous is not None and number in previous.series:
                    live.take_over(previous.series[number])

    # -- for the writer -----------------------------------------------------------

    def find_metric(self, template: Metric) -> Metric | None:
        """Return the metric that differs from ``template`` in id and description at most."""
        known = self._metric_ids.get(_identity(template))
        return None if known is None else self.metrics[known]

    def add_metric(self, connection: sqlite3.Connection, template: Metric) -> Metric:
        """Make a metric like ``template``."""
        cursor = connection.execute(
            "INSERT INTO metrics (name, kind, unit, description, temporality, monotonic, scope) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                template.name,
                template.kind,
                template.unit,
                template.description,
                template.temporality,
                template.monotonic,
                template.scope,
            ),
        )
        return self._add_metric(msgspec.structs.replace(template, id=cursor.lastrowid or 0))

    def find(self, metric: Metric, resource: bytes, attributes: bytes) -> LiveSeries | None:
        """Return the series of these canonical attributes, if there is one."""
        number = self._series_ids.get((metric.id, resource, attributes))
        return None if number is None else self.series[number]

    def add(self, connection: sqlite3.Connection, metric: Metric, resource: bytes, attributes: bytes) -> LiveSeries:
        """Make a series."""
        cursor = connection.execute(
            "INSERT INTO series (metric_id, resource, attributes, first_ns, last_ns) VALUES (?, ?, ?, 0, 0)",
            (metric.id, resource, attributes),
        )
        return self._add_series(cursor.lastrowid or 0, metric, resource, attributes)

    def layout(self, connection: sqlite3.Connection, bounds: tuple[float, ...], limit: int) -> int | None:
        """Return the id of these bounds of buckets; None if they are new and there are ``limit`` others."""
        known = self._layout_ids.get(bounds)
        if known is not None or len(self.layouts) > limit:
            return known
        cursor = connection.execute("INSERT INTO layouts (bounds) VALUES (?)", (_encode(bounds),))
        number = cursor.lastrowid or 0
        self._add_layout(number, bounds)
        return number

    def ids_of(self, metric: Metric) -> list[int]:
        """Return the ids of a metric's series."""
        return list(self._by_metric.get(metric.id, ()))

    def count_of(self, metric: Metric) -> int:
        """Return how many series a metric has."""
        return len(self._by_metric.get(metric.id, ()))

    def remove(self, connection: sqlite3.Connection, live: LiveSeries) -> None:
        """Forget a series, and its metric with the last one."""
        connection.execute("DELETE FROM series WHERE id = ?", (live.id,))
        key = (live.metric.id, canonical(live.resource), canonical(live.attributes))
        self.removals += 1
        self.label_bytes -= len(key[2])
        self._release(key[1])
        with self.lock:
            self._series_ids.pop(key, None)
            self.series.pop(live.id, None)
            siblings = self._by_metric.get(live.metric.id, {})
            siblings.pop(live.id, None)
            if siblings:
                return
            self._by_metric.pop(live.metric.id, None)
            self.metrics.pop(live.metric.id, None)
            self._metric_ids.pop(_identity(live.metric), None)
        connection.execute("DELETE FROM metrics WHERE id = ?", (live.metric.id,))

    def _release(self, resource: bytes) -> None:
        self._uses[resource] -= 1
        if not self._uses[resource]:
            del self._uses[resource], self._resources[resource]
            self.label_bytes -= len(resource)

    # -- for readers --------------------------------------------------------------

    def metrics_named(self, name: str | None) -> list[Metric]:
        """Return metrics, by name."""
        with self.lock:
            found = [metric for metric in self.metrics.values() if name is None or metric.name == name]
        return sorted(found, key=lambda metric: (metric.name, metric.id))

    def series_of(self, name: str | None) -> list[LiveSeries]:
        """Return the series of all metrics of that name."""
        with self.lock:
            if name is None:
                return list(self.series.values())
            return [
                live
                for metric in self.metrics.values()
                if metric.name == name
                for live in self._by_metric.get(metric.id, {}).values()
            ]

    # -----------------------------------------------------------------------------

    def _add_metric(self, metric: Metric) -> Metric:
        with self.lock:
            self.metrics[metric.id] = metric
            self._metric_ids[_identity(metric)] = metric.id
        return metric

    def _add_layout(self, number: int, bounds: tuple[float, ...]) -> None:
        self.layouts[number] = bounds
        self._layout_ids[bounds] = number

    def _add_series(self, number: int, metric: Metric, resource: bytes, attributes: bytes) -> LiveSeries:
        shared = self._resources.get(resource)
        if shared is None:
            shared = self._resources[resource] = _decode(resource)
            self.label_bytes += len(resource)
        self._uses[resource] += 1
        live = LiveSeries(number, metric, shared, _decode(attributes))
        self.label_bytes += len(attributes)
        with self.lock:
            self.series[number] = live
            self._series_ids[metric.id, resource, attributes] = number
            self._by_metric.setdefault(metric.id, {})[number] = live
        return live


def _identity(metric: Metric) -> tuple[object, ...]:
    return metric.name, metric.kind, metric.unit, metric.temporality, metric.monotonic, metric.scope
