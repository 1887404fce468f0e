# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Single points whose shape has to be looked at."""

from __future__ import annotations

from typing import Any

from otelkit.viewer.store.model import ExponentialPoint, SummaryPoint

__all__ = ("exponential_point", "histogram_problem", "summary_point")

_MAX_INTEGER = 2**63 - 1
_MAX_SCALE = 20
_MIN_SCALE = -10
_MAX_OFFSET = 1 << 31


def histogram_problem(count: int, bounds: tuple[float, ...], buckets: tuple[int, ...]) -> str:
    """Return why a histogram's point cannot be taken, or an empty text."""
    if len(buckets) != len(bounds) + 1 or count > _MAX_INTEGER or max(buckets) > _MAX_INTEGER:
        return "invalid"
    return ""


def exponential_point(point: Any, limit: int) -> ExponentialPoint | None:
    """Return the point, or None if it makes no sense; ``limit`` is the number of buckets that are taken."""
    positive, negative = tuple(point.positive.bucket_counts), tuple(point.negative.bucket_counts)
    largest = max((point.count, point.zero_count, *positive, *negative))
    if len(positive) + len(negative) > limit or largest > _MAX_INTEGER:
        return None
    if not _MIN_SCALE <= point.scale <= _MAX_SCALE:
        return None
    return ExponentialPoint(
        time_ns=point.time_unix_nano,
        start_ns=_start(point),
        count=point.count,
        sum=point.sum if point.HasField("sum") else None,
        min=point.min if point.HasField("min") else None,
        max=point.max if point.HasField("max") else None,
        scale=point.scale,
        zero_count=point.zero_count,
        zero_threshold=point.zero_threshold,
        positive_offset=point.positive.offset,
        positive=positive,
        negative_offset=point.negative.offset,
        negative=negative,
    )


def summary_point(point: Any) -> SummaryPoint | None:
    """Return the point, or None if it makes no sense."""
    quantiles = tuple((each.quantile, each.value) for each in point.quantile_values)
    if point.count > _MAX_INTEGER or any(not 0 <= quantile <= 1 for quantile, _ in quantiles):
        return None
    return SummaryPoint(point.time_unix_nano, _start(point), point.count, point.sum, quantiles)


def _start(point: Any) -> int:
    """Return the start, or 0 for one that lies after the point itself."""
    start_ns = point.start_time_unix_nano
    return start_ns if start_ns <= point.time_unix_nano else 0
