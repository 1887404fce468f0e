# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Base-2 exponential buckets: scale 20 at most, 160 buckets a sign at most.

Algorithm and limits: OpenTelemetry metrics data model, "Exponential histogram".
The scale only ever falls. Indexes are taken by logarithm, corrected at the
edges where rounding could put a power of two one bucket too high.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from otelkit._core._snapshot import Attributes, Exemplar, ExponentialPoint

MAX_SCALE = 20
MAX_SIZE = 160
_MIN_SCALE = -10

Counts = dict[int, int]
ExponentialState = tuple[int, float, float, float, tuple[int, int, Counts, Counts]]
"""Count, sum, min, max, and (scale, zeros, positive, negative) with counts by index."""


def index_of(value: float, scale: int) -> int:
    """Return *i* with ``base**i < value <= base**(i+1)``; ``value`` > 0."""
    mantissa, exponent = math.frexp(value)
    if mantissa == 0.5:  # exactly a power of two: the upper, inclusive edge of its bucket
        power = exponent - 1
        return (power << scale) - 1 if scale > 0 else (power - 1) >> -scale
    if scale > 0:
        # log2 of the mantissa alone keeps all its bits; log2(value) would lose some for large exponents.
        fraction = math.ceil((math.log2(mantissa) + 1.0) * (1 << scale)) - 1
        return ((exponent - 1) << scale) + min(max(fraction, 0), (1 << scale) - 1)
    return (exponent - 1) >> -scale


def _span(indexes: Iterable[int]) -> int:
    known = list(indexes)
    return max(known) - min(known) + 1 if known else 0


def _shrunk(counts: Counts, by: int) -> Counts:
    merged: Counts = {}
    for index, count in counts.items():
        merged[index >> by] = merged.get(index >> by, 0) + count
    return merged


def _dense(counts: Counts) -> tuple[int, list[int]]:
    if not counts:
        return 0, []
    first = min(counts)
    dense = [0] * (max(counts) - first + 1)
    for index, count in counts.items():
        dense[index - first] = count
    return first, dense


class ExponentialBuckets:
    """Buckets whose resolution follows the data; `_buckets` says what a shape is."""

    __slots__ = ("empty", "max_size")

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self.max_size = max_size
        self.empty: ExponentialState = (0, 0.0, math.inf, -math.inf, (MAX_SCALE, 0, {}, {}))

    def fold(self, state: ExponentialState, values: list[float], added: float) -> ExponentialState:
        """Return ``state`` with finite, not empty ``values`` added, whose sum is ``added``."""
        count, total, low, high, (scale, zeros, positive, negative) = state
        sides = (positive.copy(), negative.copy())
        for value in values:
            if value == 0:
                zeros += 1
                continue
            counts = sides[value < 0]
            index = index_of(abs(value), scale)
            if index not in counts:
                excess = _span((*counts, index))
                if excess > self.max_size:
                    by = 0
                    while excess > self.max_size and scale - by > _MIN_SCALE:
                        by += 1
                        excess = _span(known >> by for known in (*counts, index))
                    scale -= by
                    sides = (_shrunk(sides[0], by), _shrunk(sides[1], by))
                    counts = sides[value < 0]
                    index >>= by
            counts[index] = counts.get(index, 0) + 1
        return (
            count + len(values),
            total + added,
            min(low, min(values) + 0.0),
            max(high, max(values) + 0.0),
            (scale, zeros, *sides),
        )

    def slot(self, value: float) -> int:
        """Return the power of two of ``value``, in steps of four: few enough exemplars, well spread."""
        return math.frexp(value)[1] // 4

    def point(
        self,
        state: ExponentialState,
        extremes: tuple[float, float],
        attributes: Attributes,
        start_ns: int,
        time_ns: int,
        exemplars: tuple[Exemplar, ...],
    ) -> ExponentialPoint:
        """Render ``state`` with dense counts."""
        scale, zeros, positive, negative = state[4]
        positive_offset, positive_counts = _dense(positive)
        negative_offset, negative_counts = _dense(negative)
        return ExponentialPoint(
            attributes,
            start_ns,
            time_ns,
            state[0],
            state[1],
            *extremes,
            scale,
            zeros,
            positive_offset,
            positive_counts,
            negative_offset,
            negative_counts,
            exemplars,
        )
