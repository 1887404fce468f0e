# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the SDK collected from its own instruments, as otelkit's snapshots."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as SdkMetric
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otelkit._core._snapshot import (
    Attributes,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Kind,
    Metric,
    MetricSnapshot,
    NumberPoint,
    Point,
)
from otelkit.exporters._prometheus_families import leave_out
from otelkit.exporters._prometheus_text import Scope


class SdkSnapshots:
    """
    Converts one collection after the other; not thread-safe.

    It remembers each series' latest exemplars, because the SDK hands an
    exemplar out once: of two scrapers only one would see it, and none after the
    last collection. What it remembers is bounded by the SDK's own limit on
    series.
    """

    def __init__(self) -> None:
        self._exemplars: dict[tuple[Scope, str, frozenset[tuple[str, str]]], tuple[Exemplar, ...]] = {}

    def convert(self, data: MetricsData) -> list[tuple[Scope, list[MetricSnapshot]]]:
        """
        Return the SDK's metrics by scope, of all resources.

        Errors: raises none; a metric that cannot be converted is left out,
            counted, and logged once.
        """
        groups: list[tuple[Scope, list[MetricSnapshot]]] = []
        for resource in data.resource_metrics:
            for scoped in resource.scope_metrics:
                scope = _scope(scoped.scope)
                groups.append((scope, [self._with_exemplars(scope, found) for found in _converted(scoped.metrics)]))
        return groups

    def _with_exemplars(self, scope: Scope, snapshot: MetricSnapshot) -> MetricSnapshot:
        return MetricSnapshot(
            snapshot.metric, [self._remembering(scope, snapshot.metric.name, point) for point in snapshot.points]
        )

    def _remembering(self, scope: Scope, metric: str, point: Point) -> Point:
        if isinstance(point, NumberPoint):
            fresh = () if point.exemplar is None else (point.exemplar,)
        elif isinstance(point, HistogramPoint | ExponentialPoint):
            fresh = point.exemplars
        else:
            return point
        if not fresh and not self._exemplars:
            return point
        key = (scope, metric, frozenset(point.attributes.items()))
        if fresh:
            self._exemplars[key] = fresh
            return point
        kept = self._exemplars.get(key, ())
        if not kept:
            return point
        return point._replace(exemplar=kept[0]) if isinstance(point, NumberPoint) else point._replace(exemplars=kept)


def _scope(scope: InstrumentationScope) -> Scope:
    attributes = tuple((key, attribute_text(value)) for key, value in (scope.attributes or {}).items())
    return Scope(scope.name or "", scope.version or "", scope.schema_url or "", attributes)


def resource_of(data: MetricsData) -> dict[str, str]:
    """Return the attributes of the data's resources."""
    return {
        key: attribute_text(value)
        for resource in data.resource_metrics
        for key, value in resource.resource.attributes.items()
    }


def attribute_text(value: object) -> str:
    """Spell an attribute's value as the Collector does: ``true``, ``1.5``, ``["a","b"]``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping | Sequence | bool):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    return str(value)


def _converted(metrics: Iterable[SdkMetric]) -> Iterable[MetricSnapshot]:
    for metric in metrics:
        try:
            kind, points = _points(metric)
        except Exception as error:
            leave_out(metric.name, "not encodable", f"{type(error).__name__}: {error}")
            continue
        yield MetricSnapshot(Metric(metric.name, kind, metric.unit or "", metric.description or ""), points)


def _points(metric: SdkMetric) -> tuple[Kind, list[Point]]:
    data = metric.data
    if not isinstance(data, Gauge) and data.aggregation_temporality is not AggregationTemporality.CUMULATIVE:
        raise ValueError("delta temporality has no Prometheus form")
    if isinstance(data, Sum):
        kind = Kind.COUNTER if data.is_monotonic else Kind.UP_DOWN_COUNTER
        return kind, [_number(point) for point in data.data_points]
    if isinstance(data, Gauge):
        return Kind.GAUGE, [_number(point) for point in data.data_points]
    if isinstance(data, Histogram):
        return Kind.HISTOGRAM, [_histogram(point) for point in data.data_points]
    if isinstance(data, ExponentialHistogram):
        return Kind.EXPONENTIAL_HISTOGRAM, [_exponential(point) for point in data.data_points]
    raise TypeError(f"unknown kind of data: {type(data).__name__}")


def _attributes(attributes: Mapping[str, object] | None) -> Attributes:
    return Attributes({key: attribute_text(value) for key, value in (attributes or {}).items()})


def _exemplars(point: NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint) -> tuple[Exemplar, ...]:
    return tuple(
        Exemplar.of(each.value, each.trace_id or 0, each.span_id or 0, each.time_unix_nano) for each in point.exemplars
    )


def _number(point: NumberDataPoint) -> NumberPoint:
    exemplars = _exemplars(point)
    newest = max(exemplars, key=lambda exemplar: exemplar.time_ns) if exemplars else None
    start_ns = point.start_time_unix_nano or 0
    return NumberPoint(_attributes(point.attributes), start_ns, point.time_unix_nano, point.value, newest)


def _histogram(point: HistogramDataPoint) -> HistogramPoint:
    bounds, buckets = tuple(point.explicit_bounds), list(point.bucket_counts)
    if bounds and bounds[-1] == math.inf:
        bounds, buckets = bounds[:-1], [*buckets[:-2], buckets[-2] + buckets[-1]]
    return HistogramPoint(
        _attributes(point.attributes),
        point.start_time_unix_nano or 0,
        point.time_unix_nano,
        point.count,
        point.sum,
        point.min,
        point.max,
        bounds,
        buckets,
        _exemplars(point),
    )


def _exponential(point: ExponentialHistogramDataPoint) -> ExponentialPoint:
    return ExponentialPoint(
        _attributes(point.attributes),
        point.start_time_unix_nano or 0,
        point.time_unix_nano,
        point.count,
        point.sum,
        point.min,
        point.max,
        point.scale,
        point.zero_count,
        point.positive.offset,
        point.positive.bucket_counts,
        point.negative.offset,
        point.negative.bucket_counts,
        _exemplars(point),
    )
