# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A series of numbers over time, and what is usual for it."""

from __future__ import annotations

import msgspec


class Usual(msgspec.Struct, kw_only=True):
    """
    5th to 95th percentile of the same series in the windows before the one shown.

    Attributes:
        low: Lower edge, in the unit of the series.
        high: Upper edge.
        middle: Median of the windows.
        windows: How many windows it was computed from.
        window_s: Their length, in seconds.
        observations: Calls, batches or readings in all of them together.
    """

    low: float
    high: float
    middle: float
    windows: int
    window_s: float
    observations: int


class Line(msgspec.Struct, kw_only=True):
    """
    A series on the axis of its answer.

    Attributes:
        name: What stands at its right end.
        values: One per step of the axis; null where there is nothing: never interpolated.
        last: The last value, or null if the last steps are gaps.
        unit: UCUM: s, By, 1 (a share of one), /s, By/s, Cel, W, Hz or a word in braces.
        every: Seconds between the sender's reports where that is longer than a step: the value is then
            the one of the whole interval and is to be drawn as a step.
        usual: What is usual, or null if that cannot be said yet.
        status: ok, warn or err: whether the last value is outside of its usual range, and how severe that is.
        total: Whether it is the sum of the others.
        labels: The labels that make it this series and no other.
        limit: The upper limit that the device or the system itself gives, in the same unit.
    """

    name: str
    values: list[float | None]
    last: float | None = None
    unit: str = "1"
    every: float | None = None
    usual: Usual | None = None
    status: str = "ok"
    total: bool = False
    labels: dict[str, str] = {}
    limit: float | None = None


class Quantile(msgspec.Struct, kw_only=True):
    """
    A quantile read from buckets, linear within a bucket.

    Attributes:
        value: In the unit of the metric; with ``over`` the lower edge of the overflow bucket.
        approximate: Its bucket is wider than a quarter of the value: write ≈.
        over: It lies in the overflow bucket: write > value.
        count: Observations that it was read from.
    """

    value: float
    approximate: bool = False
    over: bool = False
    count: int = 0
