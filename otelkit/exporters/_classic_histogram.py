# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""An exponential histogram as a classic one: its buckets merged onto powers of two."""

from __future__ import annotations

import math
from collections.abc import Sequence

from otelkit._core._snapshot import ExponentialPoint, HistogramPoint


def classic_histogram(point: ExponentialPoint) -> HistogramPoint:
    """
    Return ``point`` with explicit bounds, its counts unchanged.

    At scale 0 and above every bucket lies within one power of two, so that
    merging is exact; at negative scales the buckets' own bounds are kept, which
    are powers of two as well. Bounds run from the lowest to the highest
    populated bucket, without a gap, because histogram_quantile interpolates
    from the bound below.

    The counts of negative values are mirrored. There a value that equals a
    bound exactly is counted above it, not below: OTLP's buckets include the end
    away from zero, Prometheus' include the upper one.
    """
    positive = _by_power(point.scale, point.positive_offset, point.positive)
    negative = _by_power(point.scale, point.negative_offset, point.negative)
    # The counts between neighbouring edges; the first lies below the first edge, the last above the last.
    edges: list[float] = []
    counts = [0]
    if negative:
        edges.append(-negative[-1][1])
        for low, _, count in reversed(negative):
            edges.append(-low)
            counts.append(count)
        counts.append(point.zero_count)
    else:
        counts[0] = point.zero_count
    if not positive and (point.zero_count or not negative):
        edges.append(0.0)
        counts.append(0)
    if positive:
        edges.append(positive[0][0])
        for _, high, count in positive:
            edges.append(high)
            counts.append(count)
        counts.append(0)
    bounds, buckets = _merged(edges, counts)
    return HistogramPoint(
        point.attributes,
        point.start_ns,
        point.time_ns,
        point.count,
        point.sum,
        point.min,
        point.max,
        bounds,
        buckets,
        point.exemplars,
    )


def _by_power(scale: int, offset: int, counts: Sequence[int]) -> list[tuple[float, float, int]]:
    """Return ``(low, high, count)`` from the lowest to the highest populated bucket."""
    width = 1 << max(-scale, 0)
    shift = max(scale, 0)
    sums: dict[int, int] = {}
    for index, count in enumerate(counts, offset):
        if count:
            step = index >> shift
            sums[step] = sums.get(step, 0) + count
    if not sums:
        return []
    steps = range(min(sums), max(sums) + 1)
    return [(_power(step * width), _power((step + 1) * width), sums.get(step, 0)) for step in steps]


def _power(exponent: int) -> float:
    """Return ``2**exponent``, infinite or the smallest float where a float ends."""
    try:
        return math.ldexp(1.0, exponent) or math.ulp(0.0)
    except OverflowError:
        return math.inf


def _merged(edges: list[float], counts: list[int]) -> tuple[tuple[float, ...], list[int]]:
    """Drop infinite and repeated edges, adding what lay between them to the neighbour above."""
    bounds: list[float] = []
    buckets: list[int] = []
    pending = 0
    for edge, count in zip(edges, counts, strict=False):
        pending += count
        if math.isinf(edge):
            continue
        if bounds and edge <= bounds[-1]:
            buckets[-1] += pending
        else:
            bounds.append(edge)
            buckets.append(pending)
        pending = 0
    buckets.append(pending + sum(counts[len(edges) :]))
    return tuple(bounds), buckets
