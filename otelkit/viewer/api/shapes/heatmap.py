# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A distribution over time, and the traces that are examples of it."""

from __future__ import annotations

import msgspec


class Exemplar(msgspec.Struct, kw_only=True):
    """One measured call whose trace is known. ``kept``: whether that trace is in the store."""

    time: float
    value: float
    trace_id: str
    span_id: str
    failed: bool = False
    kept: bool = True


class Heatmap(msgspec.Struct, kw_only=True):
    """
    Counts by step of the axis and by bucket.

    Attributes:
        edges: Rows + 1 edges of the buckets, ascending; the first and the last may be null: no limit there.
        counts: Per step of the axis one list with the count of each row, lowest first; null where there is a gap.
        largest: The greatest count in it, for the colours.
        unit: UCUM, of the edges.
        usual: Usual share of each row, 0 to 1; null if that cannot be said yet.
        every: Seconds between the sender's reports where that is longer than a step; the counts then stand
            in the step in which the report arrived, over the interval before it.
        merged: Whether buckets of the sender were merged for it.
    """

    edges: list[float | None]
    counts: list[list[int] | None]
    largest: int
    unit: str
    usual: list[float] | None = None
    every: float | None = None
    merged: bool = False


class Histogram(msgspec.Struct, kw_only=True):
    """
    One distribution.

    Attributes:
        edges: Bars + 1 edges, ascending; null: no limit.
        counts: One per bar.
        unit: UCUM, of the edges.
        total: Sum of the counts.
    """

    edges: list[float | None]
    counts: list[int]
    unit: str
    total: int


class Pixels(msgspec.Struct, kw_only=True):
    """Rows of shares, 0 to 1, on the axis: one row a core, or a group of cores."""

    rows: list[PixelRow]
    grouped: int = 1


class PixelRow(msgspec.Struct, kw_only=True):
    """One row of pixels."""

    name: str
    values: list[float | None]
