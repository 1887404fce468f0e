# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The SDK's metrics data as flat series, for formats that know names, labels and numbers only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)

from otelkit._core._snapshot import Kind
from otelkit.exporters._quantiles import QUANTILES, Bucket, explicit_buckets, exponential_buckets, quantile


class Series(NamedTuple):
    """
    One point of one metric.

    ``fields`` holds ``value`` for a number; ``count`` and ``sum`` for a
    histogram, and, unless it is empty, ``min`` and ``max`` as far as they
    are known and the estimates ``p50``, ``p95`` and ``p99``.
    """

    metric: Metric
    kind: Kind
    labels: Mapping[str, Any]
    time_ns: int
    delta: bool
    fields: dict[str, float]


def series_of(data: MetricsData) -> Iterator[Series]:
    """Yield every point of ``data``, in its order; unknown kinds of data are passed over."""
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield from _series_of_metric(metric)


def iso_time(time_ns: int) -> str:
    """Return Unix time in nanoseconds as ISO 8601, UTC, to the microsecond."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="microseconds")


def _series_of_metric(metric: Metric) -> Iterator[Series]:
    kind = _kind(metric)
    if kind is None:
        return
    delta = getattr(metric.data, "aggregation_temporality", None) is AggregationTemporality.DELTA
    for point in metric.data.data_points:
        yield Series(metric, kind, point.attributes or {}, point.time_unix_nano, delta, _fields(point))


def _kind(metric: Metric) -> Kind | None:
    match metric.data:
        case Sum(is_monotonic=True):
            return Kind.COUNTER
        case Sum():
            return Kind.UP_DOWN_COUNTER
        case Gauge():
            return Kind.GAUGE
        case Histogram():
            return Kind.HISTOGRAM
        case ExponentialHistogram():
            return Kind.EXPONENTIAL_HISTOGRAM
    return None


def _fields(point: NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint) -> dict[str, float]:
    if isinstance(point, NumberDataPoint):
        return {"value": point.value}
    fields: dict[str, float] = {"count": point.count, "sum": point.sum}
    if not point.count:
        return fields
    # An aggregation that was told not to keep them reports inf and -inf.
    if math.isfinite(point.min):
        fields["min"] = point.min
    if math.isfinite(point.max):
        fields["max"] = point.max
    buckets = _buckets(point)
    for q in QUANTILES:
        fields[f"p{q * 100:g}"] = quantile(q, buckets, fields.get("min", -math.inf), fields.get("max", math.inf))
    return fields


def _buckets(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> list[Bucket]:
    if isinstance(point, HistogramDataPoint):
        return explicit_buckets(point.explicit_bounds, point.bucket_counts)
    return exponential_buckets(
        point.scale,
        point.zero_count,
        point.positive.offset,
        point.positive.bucket_counts,
        point.negative.offset,
        point.negative.bucket_counts,
    )
