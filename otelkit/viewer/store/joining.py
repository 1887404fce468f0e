# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Points of one series from several chunks and its heads, brought into one order and cut to a range."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from otelkit.viewer.store.columns import Head, NumberHead, order_of
from otelkit.viewer.store.model import Histograms, Numbers

__all__ = ("join_histograms", "join_listed", "join_numbers", "last_before", "last_of")

_NUMBER_COLUMNS = ("times_ns", "starts_ns", "values", "lows", "highs", "merged")
_HISTOGRAM_COLUMNS = ("times_ns", "starts_ns", "counts", "sums", "minima", "maxima", "merged")


def join_numbers(parts: Sequence[Numbers], from_ns: int, to_ns: int) -> Numbers:
    """Return all points of the range; of several of one time the one that arrived last."""
    columns = [_chained([getattr(part, name) for part in parts]) for name in _NUMBER_COLUMNS]
    order = order_of(columns[0])
    if order is not None:
        columns = [_picked(column, order) for column in columns]
    begin, end = bisect_left(columns[0], from_ns), bisect_left(columns[0], to_ns)
    if begin or end < len(columns[0]):
        columns = [column[begin:end] for column in columns]
    return Numbers(*columns)


def join_histograms(parts: Sequence[Histograms], from_ns: int, to_ns: int) -> list[Histograms]:
    """
    Return all points of the range, in runs of equal bounds.

    A sender that changes its bounds does so at its restart; points of two layouts that alternate (two programs under
    one identity) are brought into one run each, and the runs overlap in time.
    """
    by_bounds: dict[tuple[float, ...], list[Histograms]] = {}
    for part in parts:
        by_bounds.setdefault(part.bounds, []).append(part)
    joined = [_join_alike(bounds, alike, from_ns, to_ns) for bounds, alike in by_bounds.items()]
    return sorted((run for run in joined if run.times_ns), key=lambda run: run.times_ns[0])


def _join_alike(bounds: tuple[float, ...], parts: Sequence[Histograms], from_ns: int, to_ns: int) -> Histograms:
    columns = [_chained([getattr(part, name) for part in parts]) for name in _HISTOGRAM_COLUMNS]
    buckets = _chained([part.buckets for part in parts])
    stride = len(bounds) + 1
    order = order_of(columns[0])
    if order is not None:
        columns = [_picked(column, order) for column in columns]
        rows = array(buckets.typecode)
        for position in order:
            rows.extend(buckets[position * stride : (position + 1) * stride])
        buckets = rows
    begin, end = bisect_left(columns[0], from_ns), bisect_left(columns[0], to_ns)
    times, starts, counts, sums, minima, maxima, merged = (column[begin:end] for column in columns)
    return Histograms(
        bounds, times, starts, counts, sums, minima, maxima, buckets[begin * stride : end * stride], merged
    )


def join_listed(parts: Sequence[Sequence[Any]], from_ns: int, to_ns: int) -> list[Any]:
    """Return all points of the range; of several of one time the one that arrived last."""
    by_time = {point.time_ns: point for part in parts for point in part if from_ns <= point.time_ns < to_ns}
    return [by_time[time_ns] for time_ns in sorted(by_time)]


def last_before(heads: Sequence[Head], since_ns: int, time_ns: int) -> tuple[int, int, float] | None:
    """Return (time, start, value) of the last point in memory before ``time_ns``, without copying them."""
    latest: tuple[int, int, float] | None = None
    for head in heads:
        found = _last_in(head, since_ns, time_ns) if isinstance(head, NumberHead) else None
        # Of one time the later head's.
        if found is not None and (latest is None or found[0] >= latest[0]):
            latest = found
    return latest


def _last_in(head: NumberHead, since_ns: int, time_ns: int) -> tuple[int, int, float] | None:
    in_order = order_of(head.times_ns) is None
    latest: tuple[int, int, float] | None = None
    for at in range(len(head) - 1, -1, -1):
        if since_ns <= head.times_ns[at] < time_ns and (latest is None or head.times_ns[at] > latest[0]):
            latest = head.times_ns[at], head.starts_ns[at], head.values[at]
            if in_order:
                break
    return latest


def last_of(points: Numbers) -> tuple[int, int, float] | None:
    """Return (time, start, value) of the last point."""
    return (points.times_ns[-1], points.starts_ns[-1], points.values[-1]) if points.times_ns else None


def _chained(columns: Sequence[array[Any]]) -> array[Any]:
    if len(columns) == 1:
        return columns[0]
    whole = array(columns[0].typecode)
    for column in columns:
        whole.extend(column)
    return whole


def _picked(column: array[Any], positions: Sequence[int]) -> array[Any]:
    return array(column.typecode, [column[position] for position in positions])
