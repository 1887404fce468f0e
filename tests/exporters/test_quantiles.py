# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Quantile estimates."""

import bisect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from otelkit.exporters._quantiles import explicit_buckets, exponential_buckets, quantile

BOUNDS = (-10.0, 0.0, 1.0, 5.0, 25.0, 100.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0, 1))
def test_estimate_lies_in_the_bucket_of_the_true_quantile(values: list[float], q: float) -> None:
    """An estimate is in the bucket that the value of that rank fell into, and in the range of all values."""
    counts = [0] * (len(BOUNDS) + 1)
    for value in values:
        counts[bisect.bisect_left(BOUNDS, value)] += 1
    truth = sorted(values)[max(0, math.ceil(q * len(values)) - 1)]

    estimate = quantile(q, explicit_buckets(BOUNDS, counts), min(values), max(values))

    bucket = bisect.bisect_left(BOUNDS, truth)
    assert (-math.inf, *BOUNDS)[bucket] <= estimate <= (*BOUNDS, math.inf)[bucket]
    assert min(values) <= estimate <= max(values)


def test_linear_interpolation() -> None:
    """Within a bucket, ranks are spread evenly."""
    buckets = explicit_buckets((10.0, 20.0), (0, 4, 0))
    assert quantile(0.5, buckets) == 15.0
    assert quantile(0.25, buckets) == 12.5


def test_without_extremes_the_open_buckets_answer_with_their_bound() -> None:
    """As Prometheus does, the last bucket is taken for its lower bound, and the first one starts at zero."""
    assert quantile(0.99, explicit_buckets((10.0, 20.0), (0, 0, 7))) == 20.0
    assert quantile(0.5, explicit_buckets((10.0, 20.0), (4, 0, 0))) == 5.0


def test_nothing_recorded_is_not_a_number() -> None:
    """An empty histogram has no quantile."""
    assert math.isnan(quantile(0.5, explicit_buckets((1.0,), (0, 0))))


@given(st.lists(st.floats(1e-9, 1e9) | st.just(0.0), min_size=1, max_size=60))
def test_exponential_buckets_are_those_of_the_sdk(values: list[float]) -> None:
    """Edges computed from scale and offset hold what the SDK's aggregation put between them."""
    reader = InMemoryMetricReader()
    view = View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([reader], views=[view], shutdown_on_exit=False)
    histogram = provider.get_meter("test").create_histogram("sizes")
    for value in values:
        histogram.record(value)
    point = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]

    buckets = exponential_buckets(
        point.scale,
        point.zero_count,
        point.positive.offset,
        point.positive.bucket_counts,
        point.negative.offset,
        point.negative.bucket_counts,
    )

    assert sum(bucket.items for bucket in buckets) == len(values)
    assert [bucket.low for bucket in buckets] == sorted(bucket.low for bucket in buckets)
    filled = [bucket for bucket in buckets if bucket.items]
    assert filled[0].low * (1 - 1e-9) <= min(values)
    assert max(values) <= filled[-1].high * (1 + 1e-9)
    provider.shutdown()


def test_negative_exponential_buckets_mirror_the_positive_ones() -> None:
    """The same counts on the negative side give the same estimates with the other sign."""
    above = exponential_buckets(1, 0, 3, (5, 0, 2, 1), 0, ())
    below = exponential_buckets(1, 0, 0, (), 3, (5, 0, 2, 1))
    for q in (0.0, 0.25, 0.75, 1.0):
        assert quantile(q, below) == pytest.approx(-quantile(1 - q, above))
    assert quantile(0.5, above) == pytest.approx(2**1.5 + (2**2 - 2**1.5) * 4 / 5)


def test_the_largest_double_has_a_bucket() -> None:
    """The upper edge of the last bucket there can be is beyond the doubles; the estimate is not."""
    assert quantile(1.0, exponential_buckets(0, 0, 1023, (1,), 0, ()), 1e308, 1.5e308) == 1.5e308
