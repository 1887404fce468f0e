# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Distributions as counts in buckets: read, merged, coarsened.

A histogram here is a tuple of upper bounds, inclusive and ascending, and one count more than bounds: the last bucket
has no upper bound. An exponential one is brought to such bounds first, see `exponential_counts`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

Bounds = tuple[float, ...]

WIDE = 0.25
"""A bucket wider than this share of the value makes the value approximate (viewer.md, section 8)."""

GRID_SCALE = 2
GRID_LOW, GRID_HIGH = -120, 200
"""
Exponential histograms are brought to bounds 2 ** (i / 4): 13 a decade, 19 % apart and so never "approximate".

From 2 ** -30 (a nanosecond) to 2 ** 50 (a petabyte).
"""

GRID: Bounds = tuple(2.0 ** (index / 2**GRID_SCALE) for index in range(GRID_LOW, GRID_HIGH + 1))


class Reading(NamedTuple):
    """A quantile; ``approximate`` if its bucket is wide, ``over`` if it lies beyond the last bound."""

    value: float
    approximate: bool
    over: bool


def quantile(
    bounds: Bounds,
    counts: Sequence[float],
    share: float,
    low: float | None = None,
    high: float | None = None,
) -> Reading | None:
    """
    Return the value below which ``share`` of the observations lie, linear within a bucket; None without any.

    Args:
        share: 0 to 1.
        low: Least value observed, where that is known: it narrows the first bucket.
        high: Greatest one: it closes the last bucket.
    """
    total = sum(counts)
    if total <= 0:
        return None
    reached = list(accumulate(counts))
    wanted = share * total
    index = min(bisect_left(reached, wanted), len(counts) - 1)
    while index < len(counts) - 1 and counts[index] <= 0:
        index += 1
    while counts[index] <= 0:
        index -= 1
    left = bounds[index - 1] if index else _floor(bounds, low)
    if index == len(bounds):
        if high is None or high < left:
            return Reading(left if bounds else math.nan, True, True)
        right = high
    else:
        right = bounds[index]
    if low is not None and left < low <= right:
        left = low
    if high is not None and left <= high < right:
        right = high
    before = reached[index] - counts[index]
    value = left + (right - left) * min(1.0, max(0.0, (wanted - before) / counts[index]))
    return Reading(value, (right - left) > WIDE * abs(value), False)


def is_wide(bounds: Bounds, value: float) -> bool:
    """Tell whether a value that was read from these buckets is only approximate."""
    index = bisect_left(bounds, value)
    if index == len(bounds):
        return True
    return bounds[index] - (bounds[index - 1] if index else 0.0) > WIDE * abs(value)


def _floor(bounds: Bounds, low: float | None) -> float:
    if low is not None:
        return low
    return min(0.0, bounds[0]) if bounds else 0.0


def add(into: list[float], counts: Sequence[float]) -> None:
    """Add counts of the same bounds."""
    for index, count in enumerate(counts):
        if count:
            into[index] += count


def rebucket(bounds: Bounds, counts: Sequence[float], target: Bounds) -> list[float]:
    """
    Return the counts on other bounds: exact where all of ``target`` are among ``bounds``, else spread evenly.

    The sum stays the same.
    """
    if bounds == target:
        return list(counts)
    moved = [0.0] * (len(target) + 1)
    for index, count in enumerate(counts):
        if not count:
            continue
        left = bounds[index - 1] if index else -math.inf
        right = bounds[index] if index < len(bounds) else math.inf
        first, last = _bucket_above(target, left), _bucket_of(target, right)
        if first >= last or math.isinf(left) or math.isinf(right):
            moved[last if not math.isinf(right) else first] += count
            continue
        edges = [left, *target[first:last], right]
        for offset, (begin, end) in enumerate(pairwise(edges)):
            moved[first + offset] += count * (end - begin) / (right - left)
    return moved


def _bucket_of(bounds: Bounds, value: float) -> int:
    """Index of the bucket whose upper bound is the first not below ``value``."""
    return bisect_left(bounds, value)


def _bucket_above(bounds: Bounds, value: float) -> int:
    """Index of the bucket in which values just above ``value`` lie."""
    index = bisect_left(bounds, value)
    return index + (index < len(bounds) and bounds[index] == value)


def whole(levels: Sequence[float]) -> list[int]:
    """
    Return integers that add up as the fractions do: each running sum is rounded.

    Spreading a report over steps makes fractions of calls; this makes calls of them again, and loses none.
    """
    sums = [round(each) for each in accumulate(levels, initial=0.0)]
    return [after - before for before, after in pairwise(sums)]


def exponential_counts(scale: int, offset: int, counts: Sequence[int], below: int) -> list[float]:
    """
    Return the counts of an exponential histogram on `GRID`.

    What is zero or less (``below``) goes into the first bucket; finer scales add up exactly, coarser ones are spread.
    """
    moved = [0.0] * (len(GRID) + 1)
    moved[0] = float(below)
    for index, count in enumerate(counts, start=offset):
        if not count:
            continue
        if scale >= GRID_SCALE:
            first, pieces = index >> (scale - GRID_SCALE), 1
        else:
            pieces = 1 << (GRID_SCALE - scale)
            first = index * pieces
        # Bucket i of the scale is (base ** i, base ** (i + 1)]: its upper bound is the grid's entry i + 1.
        for piece in range(pieces):
            position = min(max(first + piece + 1 - GRID_LOW, 0), len(GRID))
            moved[position] += count / pieces
    return moved


def occupied(columns: Sequence[Sequence[float] | None]) -> tuple[int, int]:
    """Return the first and the last bucket, exclusive, that hold anything; (0, 0) if none does."""
    filled = {index for column in columns if column is not None for index, count in enumerate(column) if count > 0}
    return (min(filled), max(filled) + 1) if filled else (0, 0)


def coarsen(
    bounds: Bounds, columns: Sequence[Sequence[float] | None], rows: int, first: int, last: int
) -> tuple[Bounds, list[list[float] | None]]:
    """
    Merge neighbouring buckets, two by two, until those from ``first`` to ``last``, exclusive, are at most ``rows``.

    Counts are only ever added up.
    """
    merged: list[list[float] | None] = [list(column) if column is not None else None for column in columns]
    occupied_rows = last - first
    while occupied_rows > rows and len(bounds) > 1:
        pairs = [slice(start, start + 2) for start in range(0, len(bounds) + 1, 2)]
        merged = [[sum(column[pair]) for pair in pairs] if column is not None else None for column in merged]
        bounds = tuple(bounds[1::2])[: len(pairs) - 1]
        occupied_rows = occupied_rows // 2 + 1
    return bounds, merged


def trimmed(
    bounds: Bounds, columns: Sequence[Sequence[float] | None], more: Sequence[float] | None
) -> tuple[list[float | None], list[list[float] | None]]:
    """
    Leave out the empty buckets below and above what holds anything, in ``columns`` or in ``more``.

    Returns: Edges, one more than rows; None at the end stands for no limit. Below the lowest positive bound it is 0.
    """
    first, last = occupied([*columns, more])
    lowest: float | None = 0.0 if not bounds or bounds[0] > 0 else None
    edges: list[float | None] = [lowest, *bounds, None]
    cut: list[list[float] | None] = [list(each[first:last]) if each is not None else None for each in columns]
    return edges[first : last + 1], cut
