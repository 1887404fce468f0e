# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A reader that exports the cells next to the SDK's own instruments."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics.export import (
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
)

from otelkit._core._guard import guard
from otelkit._core._signals import signals_blocked
from otelkit.pipeline.deadline import await_start, prepare_to_end
from otelkit.pipeline.health import Lap, Work
from otelkit.pipeline.producer import Producer, delta_kinds, joined

if TYPE_CHECKING:
    from otelkit.instruments.registry import Registry


class CellReader(PeriodicExportingMetricReader):
    """
    Collects cells and SDK instruments at an interval and exports them, at least once.

    Unlike its base, it looks at the result of an export: what failed is part
    of the next one. A receiver that stored a request and then answered with an
    error therefore gets that interval's deltas twice.

    Args:
        exporter: Where to; its preferred temporality decides about deltas.
        registry: Where the cells are.
        name: Of the destination, for ``otelkit.exports``.
        interval_s: Seconds between two exports; infinite for only at flush and shutdown.
        timeout_s: Seconds for one collection.
        batch_points: Most data points in one request; more become several. 0 for no limit.
        counts: Count exports in ``otelkit.exports``; false where the exporter does.
    """

    def __init__(
        self,
        exporter: MetricExporter,
        registry: Registry,
        *,
        name: str,
        interval_s: float,
        timeout_s: float,
        batch_points: int = 0,
        counts: bool = True,
    ) -> None:
        # All state comes before super().__init__, which starts the thread.
        self.name = name
        self.exporter = exporter
        self.producer = Producer(registry, delta_kinds(getattr(exporter, "_preferred_temporality", None)), reader=name)
        self._work = Work("export", name, registry)
        self._lap = Lap()
        self._batch_points = batch_points
        self._counts = counts
        self._delivered = True
        super().__init__(exporter, interval_s * 1e3, timeout_s * 1e3)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        # An exception here would end the reader's thread for good, and with it all exporting.
        if self._shutdown_event.is_set():
            timeout_millis = self._export_timeout_millis  # the base gives the last export as long as the interval is
        own = threading.current_thread() is self._daemon_thread
        if own:  # what the SDK's part of the collection took: its instruments, the machine's gauges
            self.producer.work.add_cpu(self._lap.end())
        try:
            self._deliver(metrics_data, timeout_millis)
        finally:
            if own:
                self._lap.end()

    def _deliver(self, metrics_data: MetricsData, timeout_millis: float) -> None:
        with guard.shield(f"export to {self.name}"), self.producer.lock, suppress_instrumentation():
            self._delivered = False
            produced = None
            with guard.shield("collection of cells"):
                produced = self.producer.produce()
            data = joined(metrics_data, produced) if produced else metrics_data
            try:
                with self._work.measured():
                    self._delivered = self._export(data, timeout_millis)
            finally:
                if self._counts:
                    guard.exported(self.name, "success" if self._delivered else "failure")
            if self._delivered and produced:
                self.producer.commit()

    def _export(self, data: MetricsData, timeout_millis: float) -> bool:
        return all(
            self.exporter.export(part, timeout_millis=timeout_millis) is MetricExportResult.SUCCESS
            for part in split(data, self._batch_points)
        )

    def collect(self, timeout_millis: float = 10_000) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Collect and export; nothing before a provider has the reader, which its thread may be quicker than."""
        if self._collect is not None:  # the base would write a line into the program's log
            super().collect(timeout_millis=timeout_millis)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Export now; False if the destination did not take it."""
        self.collect(timeout_millis=timeout_millis)
        with self.producer.lock:  # another flush may be exporting; before it has ended it counts as failed
            delivered = self._delivered
        return self.exporter.force_flush(timeout_millis=timeout_millis) is not False and delivered

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Export a last time and close the exporter; a second call does nothing."""
        if self._shutdown_event.is_set():
            return
        prepare_to_end(self.exporter)
        # The base leaves the last collection to its thread, and without interval it has none.
        if not math.isfinite(self._export_interval_millis):
            with guard.shield(f"last export to {self.name}"):
                self.collect(timeout_millis=timeout_millis)
        await_start(self._daemon_thread)
        super().shutdown(timeout_millis=timeout_millis, **kwargs)
        self.producer.close()

    def _at_fork_reinit(self) -> None:
        if not self._shutdown_event.is_set():  # the thread of a reader that was shut down would export once more
            with signals_blocked():
                super()._at_fork_reinit()

    @property
    def delivered(self) -> bool:
        """Whether the last export arrived."""
        return self._delivered


def split(data: MetricsData, batch_points: int) -> Iterator[MetricsData]:
    """Yield ``data`` in parts of at most ``batch_points`` data points; as it is if it has no more, or for 0."""
    if not batch_points or _count(data) <= batch_points:
        yield data
        return
    parts: list[ResourceMetrics] = []
    room = batch_points
    for resource, scope, metric, points in _walk(data):
        start = 0
        while start < len(points):
            taken = points[start : start + room]
            _append(parts, resource, scope, _with_points(metric, taken))
            start += len(taken)
            room -= len(taken)
            if not room:
                yield MetricsData(parts)
                parts, room = [], batch_points
    if parts:
        yield MetricsData(parts)


def _count(data: MetricsData) -> int:
    return sum(len(points) for _, _, _, points in _walk(data))


def _walk(data: MetricsData) -> Iterator[tuple[ResourceMetrics, ScopeMetrics, Metric, Sequence[Any]]]:
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield resource, scope, metric, metric.data.data_points


def _with_points(metric: Metric, points: Sequence[Any]) -> Metric:
    return Metric(metric.name, metric.description, metric.unit, replace(metric.data, data_points=points))


def _append(parts: list[ResourceMetrics], resource: ResourceMetrics, scope: ScopeMetrics, metric: Metric) -> None:
    if not parts or parts[-1].resource is not resource.resource:
        parts.append(ResourceMetrics(resource.resource, [], resource.schema_url))
    scopes: Any = parts[-1].scope_metrics
    if not scopes or scopes[-1].scope is not scope.scope:
        scopes.append(ScopeMetrics(scope.scope, [], scope.schema_url))
    scopes[-1].metrics.append(metric)
