# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Merging old points into one for each step of time.

| kind | value | besides |
|---|---|---|
| gauge | the last | least and greatest value, how many |
| cumulative sum, histogram | the last, for it holds all before it | likewise |
| delta sum, histogram | added up | likewise |

A restart begins a new point, so that no increase gets lost. Exponential histograms and summaries stay as they are.
"""

from __future__ import annotations

import sqlite3
from array import array
from typing import Any

from otelkit.viewer.store.catalogue import Catalogue, LiveSeries
from otelkit.viewer.store.columns import DAMAGED, pack, unpack_points
from otelkit.viewer.store.joining import join_histograms, join_numbers
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.model import Histograms, Numbers

__all__ = ("coarse_histograms", "coarse_numbers", "coarsen")

_CHUNKS = 200


def coarsen(connection: sqlite3.Connection, catalogue: Catalogue, limits: Limits, now_ns: int) -> bool:
    """Merge some chunks that are old enough, within a transaction; tells whether there are more."""
    step_ns = int(limits.coarse_s * 1e9)
    rows = connection.execute(
        "SELECT id, series_id, layout_id, points, body FROM chunks WHERE resolution_ns = 0 AND end_ns < ? "
        "ORDER BY end_ns LIMIT ?",
        (now_ns - int(limits.raw_s * 1e9), _CHUNKS),
    ).fetchall()
    for number, series_id, layout_id, points, body in rows:
        live = catalogue.series.get(series_id)
        if live is None:
            connection.execute("DELETE FROM chunks WHERE id = ?", (number,))
            continue
        try:
            merged = _merged(live, catalogue.layouts[layout_id], points, body, step_ns)
        except DAMAGED:
            merged = points, body
        connection.execute(
            "UPDATE chunks SET resolution_ns = ?, points = ?, body = ? WHERE id = ?", (step_ns, *merged, number)
        )
    return len(rows) >= _CHUNKS


def _merged(live: LiveSeries, bounds: tuple[float, ...], points: int, body: bytes, step_ns: int) -> tuple[int, bytes]:
    kind, delta = live.metric.kind, live.metric.temporality == "delta"
    if kind not in ("gauge", "sum", "histogram"):
        return points, body
    unpacked = unpack_points(kind, bounds, 0, points, body)
    if kind == "histogram":
        (joined,) = join_histograms([unpacked], 0, 2**63 - 1)
        coarse: Any = coarse_histograms(joined, step_ns, delta)
        columns = [coarse.times_ns, coarse.starts_ns, coarse.counts, coarse.sums, coarse.minima, coarse.maxima]
        columns += [coarse.merged, coarse.buckets]
    else:
        coarse = coarse_numbers(join_numbers([unpacked], 0, 2**63 - 1), step_ns, delta)
        columns = [coarse.times_ns, coarse.starts_ns, coarse.values, coarse.lows, coarse.highs, coarse.merged]
    return len(coarse.times_ns), pack(columns)


def _runs(times_ns: array[int], starts_ns: array[int], step_ns: int, delta: bool) -> list[tuple[int, int]]:
    """Return begin and end of each run of points that become one."""
    runs: list[tuple[int, int]] = []
    begin = 0
    for at in range(1, len(times_ns) + 1):
        same_step = at < len(times_ns) and times_ns[at] // step_ns == times_ns[begin] // step_ns
        if same_step and (delta or starts_ns[at] == starts_ns[begin]):
            continue
        runs.append((begin, at))
        begin = at
    return runs


def coarse_numbers(points: Numbers, step_ns: int, delta: bool) -> Numbers:
    """Return one point for each step and start; ``points`` are in order."""
    columns: tuple[Any, ...] = (array("q"), array("q"), array("d"), array("d"), array("d"), array("q"))
    for begin, end in _runs(points.times_ns, points.starts_ns, step_ns, delta):
        values = points.values[begin:end]
        row = (
            points.times_ns[end - 1],
            points.starts_ns[begin],
            sum(values) if delta else values[-1],
            min(points.lows[begin:end]),
            max(points.highs[begin:end]),
            sum(points.merged[begin:end]),
        )
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return Numbers(*columns)


def coarse_histograms(points: Histograms, step_ns: int, delta: bool) -> Histograms:
    """Return one point for each step and start; ``points`` are in order."""
    columns: tuple[Any, ...] = (array("q"), array("q"), array("q"), array("d"), array("d"), array("d"))
    buckets, merged, stride = array("q"), array("q"), points.stride
    for begin, end in _runs(points.times_ns, points.starts_ns, step_ns, delta):
        first = begin if delta else end - 1
        row = (
            points.times_ns[end - 1],
            points.starts_ns[begin],
            sum(points.counts[first:end]),
            sum(points.sums[first:end]),
            min(points.minima[first:end]),
            max(points.maxima[first:end]),
        )
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        rows = [points.buckets[at * stride : (at + 1) * stride] for at in range(first, end)]
        buckets.extend(map(sum, zip(*rows, strict=True)))
        merged.append(sum(points.merged[begin:end]))
    times, starts, counts, sums, minima, maxima = columns
    return Histograms(points.bounds, times, starts, counts, sums, minima, maxima, buckets, merged)
