# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Snapshots as the SDK's metrics: the shape that every exporter understands.

A point's attributes are handed on as they are, never copied: at 10,000 series
the copies would cost more than all the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    DataT,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as SdkMetric

from otelkit import semconv
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

# A frozen dataclass's constructor sets each field by object.__setattr__: 2.4 µs a histogram point, against 0.5 µs.
_new = object.__new__


def sdk_metrics(snapshots: Iterable[MetricSnapshot], delta_kinds: Collection[Kind]) -> list[SdkMetric]:
    """Return ``snapshots``, summaries taken apart, as the SDK's metrics; ``delta_kinds`` are marked as deltas."""
    metrics = []
    for metric, points in snapshots:
        if not points:
            continue
        kind = metric.kind
        temporality = AggregationTemporality.DELTA if kind in delta_kinds else AggregationTemporality.CUMULATIVE
        data = _DATA[kind](points, temporality)
        metrics.append(SdkMetric(metric.name, metric.description, metric.unit, data))
    return metrics


def _counter(points: list[Any], temporality: AggregationTemporality) -> DataT:
    return Sum(_numbers(points), temporality, is_monotonic=True)


def _up_down_counter(points: list[Any], temporality: AggregationTemporality) -> DataT:
    return Sum(_numbers(points), temporality, is_monotonic=False)


def _gauge(points: list[Any], _: AggregationTemporality) -> DataT:
    return Gauge(_numbers(points))


def _numbers(points: list[NumberPoint]) -> list[NumberDataPoint]:
    return [_number(*point) for point in points]


def _number(
    attributes: Attributes, start_ns: int, time_ns: int, value: float, exemplar: Exemplar | None
) -> NumberDataPoint:
    point = _new(NumberDataPoint)
    point.__dict__.update(
        attributes=attributes,
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        value=value,
        exemplars=() if exemplar is None else _exemplars((exemplar,)),
    )
    return point


def _histogram(points: list[HistogramPoint], temporality: AggregationTemporality) -> DataT:
    return Histogram([_histogram_point(*point) for point in points], temporality)


def _histogram_point(
    attributes: Attributes,
    start_ns: int,
    time_ns: int,
    count: int,
    total: float,
    low: float,
    high: float,
    bounds: tuple[float, ...],
    buckets: Sequence[int],
    exemplars: tuple[Exemplar, ...],
) -> HistogramDataPoint:
    point = _new(HistogramDataPoint)
    point.__dict__.update(
        attributes=attributes,
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=count,
        sum=total,
        bucket_counts=buckets,
        explicit_bounds=bounds,
        min=low,
        max=high,
        exemplars=_exemplars(exemplars) if exemplars else (),
    )
    return point


def _exponential_histogram(points: list[ExponentialPoint], temporality: AggregationTemporality) -> DataT:
    return ExponentialHistogram(
        [
            ExponentialHistogramDataPoint(
                attributes=point.attributes,
                start_time_unix_nano=point.start_ns,
                time_unix_nano=point.time_ns,
                count=point.count,
                sum=point.sum,
                scale=point.scale,
                zero_count=point.zero_count,
                positive=Buckets(point.positive_offset, point.positive),
                negative=Buckets(point.negative_offset, point.negative),
                flags=0,
                min=point.min,
                max=point.max,
                exemplars=_exemplars(point.exemplars),
            )
            for point in points
        ],
        temporality,
    )


_DATA: dict[Kind, Callable[[list[Any], AggregationTemporality], DataT]] = {
    Kind.COUNTER: _counter,
    Kind.UP_DOWN_COUNTER: _up_down_counter,
    Kind.GAUGE: _gauge,
    Kind.HISTOGRAM: _histogram,
    Kind.EXPONENTIAL_HISTOGRAM: _exponential_histogram,
}


def _exemplars(exemplars: tuple[Exemplar, ...]) -> list[SdkExemplar]:
    return [
        SdkExemplar({}, float(exemplar), exemplar.time_ns, exemplar.span_id, exemplar.trace_id)
        for exemplar in exemplars
    ]


def without_summaries(snapshots: Iterable[MetricSnapshot]) -> Iterator[MetricSnapshot]:
    """
    Replace each summary by a gauge of its quantiles and counters of its count and sum.

    The OTLP encoder of the Python SDK knows no summary.
    """
    for snapshot in snapshots:
        if snapshot.metric.kind is Kind.SUMMARY:
            yield from _summary_parts(snapshot.metric, snapshot.points)
        else:
            yield snapshot


def _summary_parts(metric: Metric, points: list[Any]) -> Iterator[MetricSnapshot]:
    name, unit, description = metric.name, metric.unit, metric.description
    quantiles: list[Point] = [
        NumberPoint(_with_quantile(point.attributes, quantile), point.start_ns, point.time_ns, value)
        for point in points
        for quantile, value in point.quantiles
        if not math.isnan(value)
    ]
    counts: list[Point] = [NumberPoint(p.attributes, p.start_ns, p.time_ns, p.count) for p in points]
    sums: list[Point] = [NumberPoint(p.attributes, p.start_ns, p.time_ns, p.sum) for p in points]
    yield MetricSnapshot(Metric(name, Kind.GAUGE, unit, description), quantiles)
    yield MetricSnapshot(Metric(f"{name}.count", Kind.COUNTER, "{observation}", description), counts)
    yield MetricSnapshot(Metric(f"{name}.sum", Kind.COUNTER, unit, description), sums)


def _with_quantile(attributes: Attributes, quantile: float) -> Attributes:
    return Attributes(attributes, **{semconv.QUANTILE: f"{quantile:g}"})
