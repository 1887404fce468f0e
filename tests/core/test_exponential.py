# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Exponential buckets against the definition, exactly, and against the SDK's own."""

from __future__ import annotations

import math
import random
from decimal import Decimal, localcontext
from time import time_ns
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.metrics._internal.aggregation import (
    AggregationTemporality,
    _ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.metrics._internal.exemplar import SimpleFixedSizeExemplarReservoir
from opentelemetry.sdk.metrics._internal.measurement import Measurement

from otelkit._core._exponential import MAX_SIZE, ExponentialBuckets, index_of
from otelkit._core._snapshot import Attributes, ExponentialPoint

SCALES = range(-10, 21)


def exact_index(value: float, scale: int) -> int:
    """Return *i* with ``2**(i/2**scale) < value <= 2**((i+1)/2**scale)``, to 60 digits."""
    with localcontext() as precise:
        precise.prec = 60
        position = Decimal(value).ln() / Decimal(2).ln() * (Decimal(2) ** scale)
        nearest = position.to_integral_value()
        if abs(position - nearest) < Decimal("1e-40"):  # exactly on an edge, the inclusive one
            return int(nearest) - 1
        return math.ceil(position) - 1


@pytest.mark.parametrize("scale", SCALES)
def test_powers_of_two_and_their_neighbours_are_in_the_right_bucket(scale: int) -> None:
    """At every scale, a power of two belongs to the bucket below, and the next float to the one above."""
    for power in (-1074, -1022, -1000, -513, -64, -3, -1, 0, 1, 2, 31, 63, 512, 1000, 1023):
        value = math.ldexp(1.0, power)
        shifted = power * 2**scale if scale >= 0 else None
        expected = shifted - 1 if shifted is not None else (power - 1) >> -scale
        assert index_of(value, scale) == expected, power
        above = math.nextafter(value, math.inf)
        if above < 2 * value:  # else it is a power of two itself: the smallest subnormal's neighbour
            assert index_of(above, scale) == (shifted if shifted is not None else power >> -scale), power
        below = math.nextafter(value, 0.0)
        if below > 0 and power > -1022:
            assert index_of(below, scale) == expected, power


@pytest.mark.parametrize("scale", [-10, -3, 0, 1, 5, 13, 20])
def test_indexes_equal_the_exact_definition(scale: int) -> None:
    """Against the logarithm to 60 digits, over all magnitudes."""
    generator = random.Random(scale)
    for _ in range(120):
        value = math.ldexp(generator.uniform(0.5, 1.0), generator.randint(-1000, 1000))
        assert index_of(value, scale) == exact_index(value, scale), value


def _own(values: list[float], split: int) -> ExponentialPoint:
    shape = ExponentialBuckets()
    state = shape.empty
    for start in range(0, len(values), split):
        batch = values[start : start + split]
        state = shape.fold(state, batch, sum(batch, 0.0))
    return shape.point(state, (state[2], state[3]), Attributes(), 0, 0, ())


def _sdk(values: list[float]) -> Any:
    aggregation = _ExponentialBucketHistogramAggregation(
        {}, SimpleFixedSizeExemplarReservoir, AggregationTemporality.DELTA, 0
    )
    instrument: Any = None
    for value in values:
        aggregation.aggregate(Measurement(value, time_ns(), instrument, Context(), {}))
    return aggregation.collect(AggregationTemporality.CUMULATIVE, 1)


def _counts(offset: int, counts: Any) -> dict[int, int]:
    return {offset + place: count for place, count in enumerate(counts) if count}


def _equal(own: ExponentialPoint, sdk: Any) -> None:
    assert own.scale == sdk.scale
    assert _counts(own.positive_offset, own.positive) == _counts(sdk.positive.offset, sdk.positive.bucket_counts)
    assert _counts(own.negative_offset, own.negative) == _counts(sdk.negative.offset, sdk.negative.bucket_counts)
    assert (own.count, own.zero_count, own.min, own.max) == (sdk.count, sdk.zero_count, sdk.min, sdk.max)
    assert math.isclose(own.sum, sdk.sum, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("split", [1, 7, 10_000])
@pytest.mark.parametrize(
    "values",
    [
        [random.Random(1).lognormvariate(0, 1) for _ in range(2_000)],
        [random.Random(2).uniform(0.001, 0.002) for _ in range(500)],
        [random.Random(3).gauss(0, 100) for _ in range(2_000)],
        [2.0**power for power in range(-300, 300)],
        [0.0, 0.0, 1.0, -1.0, 1e-300, 1e300],
        [5.0],
    ],
    ids=["lognormal", "narrow", "both signs", "powers of two", "zeros and extremes", "one value"],
)
def test_points_equal_those_of_the_sdk(values: list[float], split: int) -> None:
    """Scale, offsets, counts, zeros, min and max are those of the SDK's aggregation, merged in any batches."""
    _equal(_own(list(values), split), _sdk(values))


@given(st.lists(st.floats(min_value=1e-9, max_value=1e9), min_size=1, max_size=60))
def test_no_side_is_wider_than_160_buckets_and_none_is_lost(values: list[float]) -> None:
    """The scale falls just as far as it must."""
    point = _own(list(values), 13)
    assert len(point.positive) <= MAX_SIZE
    assert sum(point.positive) == point.count == len(values)
    finer = {exact_index(value, point.scale + 1) for value in values}
    assert point.scale == 20 or max(finer) - min(finer) + 1 > MAX_SIZE
