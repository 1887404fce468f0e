# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""otelkit's metrics inside a prometheus_client registry that the program exposes already."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Protocol

from prometheus_client.core import Exemplar as ClientExemplar
from prometheus_client.core import Metric as ClientMetric
from prometheus_client.core import Timestamp
from prometheus_client.registry import Collector

from otelkit._core._guard import guard
from otelkit._core._snapshot import Exemplar, HistogramPoint, Metric, MetricSnapshot, NumberPoint, Point, SummaryPoint
from otelkit.exporters._exposition import otelkit_scope
from otelkit.exporters._prometheus_families import (
    COUNTER,
    GAUGE,
    RESERVED_LABELS,
    Family,
    families,
    family_name,
)
from otelkit.exporters._prometheus_text import bound_text, scope_labels, series_labels
from otelkit.instruments.registry import default_registry

__all__ = ("OtelkitCollector",)

Labels = dict[str, str]


class _Registry(Protocol):
    def __iter__(self) -> Iterator[Metric]: ...
    def snapshot(self) -> list[MetricSnapshot]: ...


class OtelkitCollector(Collector):
    """
    Add with ``prometheus_client.REGISTRY.register(OtelkitCollector())``.

    Names, labels and exemplars are those of `/metrics`; it costs some twenty
    times as much, because prometheus_client writes the page.

    Args:
        registry: otelkit's registry, not prometheus_client's; by default the
            process's.
        scope_labels: Put ``otel_scope_*`` on every sample.

    Thread-safe.
    """

    def __init__(self, registry: _Registry = default_registry, *, scope_labels: bool = True) -> None:
        self._registry = registry
        self._scope = otelkit_scope() if scope_labels else None

    def describe(self) -> Iterable[ClientMetric]:
        """Return what is declared so far, without samples, so that registering finds duplicate names."""
        described: dict[str, ClientMetric] = {}
        for metric in (*self._registry, *(snapshot.metric for snapshot in self._registry.snapshot())):
            with guard.shield("prometheus: describe"):
                name, metric_type = family_name(metric)
                described.setdefault(name, ClientMetric(name, metric.description, metric_type))
        return described.values()

    def collect(self) -> Iterable[ClientMetric]:
        """Return all metrics; what cannot be converted is left out and counted."""
        found: list[Family] = []
        with guard.shield("prometheus: snapshot"):
            found = families([(self._scope, self._registry.snapshot())])
        metrics: list[ClientMetric] = []
        for family in found:
            with guard.shield("prometheus: collector"):
                metrics.append(self._metric(family))
        return metrics

    def _metric(self, family: Family) -> ClientMetric:
        metric = ClientMetric(family.name, family.help, family.type, family.unit)
        scope, reserved = scope_labels(self._scope), RESERVED_LABELS[family.type]
        for point in family.series.values():
            labels = scope | series_labels(point.attributes, reserved)
            _add_samples(metric, labels, point)
            # Why samples are built by hand: HistogramMetricFamily.add_metric has no way to give this one.
            if family.type != GAUGE and point.start_ns:
                metric.add_sample(f"{family.name}_created", labels, round(point.start_ns / 1e9, 3))
        return metric


def _add_samples(metric: ClientMetric, labels: Labels, point: Point) -> None:
    if isinstance(point, NumberPoint):
        is_counter = metric.type == COUNTER
        exemplar = _exemplar(point.exemplar) if is_counter and point.exemplar is not None else None
        metric.add_sample(f"{metric.name}_total" if is_counter else metric.name, labels, point.value, None, exemplar)
    elif isinstance(point, HistogramPoint):
        _add_histogram(metric, labels, point)
    elif isinstance(point, SummaryPoint):
        for quantile, value in point.quantiles:
            metric.add_sample(metric.name, labels | {"quantile": bound_text(quantile)}, value)
        metric.add_sample(f"{metric.name}_count", labels, point.count)
        metric.add_sample(f"{metric.name}_sum", labels, point.sum)


def _add_histogram(metric: ClientMetric, labels: Labels, point: HistogramPoint) -> None:
    bounds = (*point.bounds, float("inf"))
    exemplars = {
        bisect_left(point.bounds, exemplar): _exemplar(exemplar)
        for exemplar in sorted(point.exemplars, key=lambda exemplar: exemplar.time_ns)
    }
    counts = list(accumulate(point.buckets))
    for index, (bound, count) in enumerate(zip(bounds, counts, strict=True)):
        bucket = labels | {"le": bound_text(bound)}
        metric.add_sample(f"{metric.name}_bucket", bucket, count, None, exemplars.get(index))
    # As prometheus_client's own families do: no sum, and so no count, where it could go down.
    if bounds[0] >= 0 and point.sum >= 0:
        metric.add_sample(f"{metric.name}_count", labels, counts[-1])
        metric.add_sample(f"{metric.name}_sum", labels, point.sum)


def _exemplar(exemplar: Exemplar) -> ClientExemplar:
    seconds, nanoseconds = divmod(exemplar.time_ns, 1_000_000_000)
    ids = {"trace_id": f"{exemplar.trace_id:032x}", "span_id": f"{exemplar.span_id:016x}"} if exemplar.trace_id else {}
    return ClientExemplar(ids, float(exemplar), Timestamp(seconds, nanoseconds))
