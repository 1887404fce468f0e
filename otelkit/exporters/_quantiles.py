# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Quantile estimates from buckets, for readers that cannot hold a histogram.

As Prometheus' `histogram_quantile` does it: find the bucket in which the rank
falls and interpolate in it. Where the smallest or the largest value is known
it narrows the bucket it lies in, so that an estimate never leaves the range of
what was seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

QUANTILES = (0.5, 0.95, 0.99)


class Bucket(NamedTuple):
    """``items`` values between ``low`` and ``high``; either end may be infinite."""

    low: float
    high: float
    items: int


def explicit_buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[Bucket]:
    """Return the buckets of an explicit-bucket histogram, ascending; ``counts`` is not cumulative."""
    edges = (-math.inf, *bounds, math.inf)
    return [Bucket(edges[i], edges[i + 1], count) for i, count in enumerate(counts)]


def exponential_buckets(
    scale: int,
    zero_count: int,
    positive_offset: int,
    positive: Sequence[int],
    negative_offset: int,
    negative: Sequence[int],
) -> list[Bucket]:
    """Return the buckets of a base-2 exponential histogram, ascending."""
    above = [
        Bucket(_edge(scale, positive_offset + i), _edge(scale, positive_offset + i + 1), count)
        for i, count in enumerate(positive)
    ]
    below = [
        Bucket(-_edge(scale, negative_offset + i + 1), -_edge(scale, negative_offset + i), count)
        for i, count in enumerate(negative)
    ]
    return [*reversed(below), Bucket(0.0, 0.0, zero_count), *above]


def _edge(scale: int, index: int) -> float:
    # index * 2**-scale stays below 1024 for every double, but a bucket's upper edge may be 2**1024.
    exponent = math.ldexp(index, -scale)
    return 2.0**exponent if exponent < 1024 else math.inf


def quantile(q: float, buckets: Iterable[Bucket], smallest: float = -math.inf, largest: float = math.inf) -> float:
    """
    Estimate the ``q`` quantile, 0 <= q <= 1.

    Args:
        q: Which quantile; 0.95 is p95.
        buckets: Ascending.
        smallest: The smallest value seen, or -inf.
        largest: The largest value seen, or inf.

    Returns:
        The estimate, wrong by less than the bucket's width; NaN if all
        buckets are empty.
    """
    filled = [_narrowed(bucket, smallest, largest) for bucket in buckets if bucket.items]
    if not filled:
        return math.nan
    rank = q * sum(bucket.items for bucket in filled)
    for bucket in filled:
        if rank <= bucket.items:
            return bucket.low + (bucket.high - bucket.low) * rank / bucket.items
        rank -= bucket.items
    return filled[-1].high


def _narrowed(bucket: Bucket, smallest: float, largest: float) -> Bucket:
    """Cut ``bucket`` to what was seen, and give an open end the value of the other one."""
    low, high, items = bucket
    if low <= smallest <= high:
        low = smallest
    if low <= largest <= high:
        high = largest
    if math.isinf(low):
        low = min(0.0, high)
    if math.isinf(high):
        high = low
    return Bucket(low, high, items)
