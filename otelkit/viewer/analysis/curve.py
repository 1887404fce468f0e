# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What counters and histograms rose by in each step of an axis.

The points of a cumulative series are knots of a curve that only rises, and is linear in between: a report is spread
evenly over the interval that it covers, so that jitter makes no stripes, and the sum over all steps is exactly what
was reported. At a reset (a new start, or less than before) a new curve begins, at zero: no rise is ever negative.
Where two knots are further apart than a gap, nothing is known about the steps between: they are None, and the rise
stands in the step of the later knot.

Times are of one unit, nanoseconds in the viewer. What is read are columns, arrays or lists; a point's value is a row
of numbers, a histogram's buckets or a single one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from operator import add, gt, sub
from typing import NamedTuple


class Segment(NamedTuple):
    """
    Points from ``begin`` to ``end``, exclusive, between two resets.

    Attributes:
        zero: When it was zero, if that is known: the curve's first knot.
    """

    begin: int
    end: int
    zero: int | None


class Rows(NamedTuple):
    """
    Points of one series, ascending in time.

    Attributes:
        starts: Of what each covers; 0 if not known.
        totals: What never falls but at a reset: a sum's values, a histogram's counts.
        flat: Numbers, ``stride`` for each point.
    """

    times: Sequence[int]
    starts: Sequence[int]
    totals: Sequence[float]
    flat: Sequence[float]
    stride: int

    def row(self, index: int) -> Sequence[float]:
        """Return the numbers of a point."""
        return self.flat[index * self.stride : (index + 1) * self.stride]


def accumulated(points: Rows) -> Rows:
    """Return points of delta temporality as a cumulative series."""
    columns = [list(accumulate(points.flat[offset :: points.stride])) for offset in range(points.stride)]
    flat = [number for row in zip(*columns, strict=True) for number in row]
    first = points.starts[0] if points.starts else 0
    return Rows(points.times, [first] * len(points.times), list(accumulate(points.totals)), flat, points.stride)


def segments(points: Rows, zero: int | None) -> list[Segment]:
    """
    Cut a cumulative series where it was reset.

    Args:
        zero: When the first segment was zero, or None if that is not known: what its first point had reached is then
            not counted.
    """
    times, starts, totals = points.times, points.starts, points.totals
    if not times:
        return []
    # Neighbours are compared in C; the loop below only runs for series that were reset.
    if starts[0] == starts[-1] and not any(map(gt, totals, totals[1:])):
        return [Segment(0, len(times), zero)]
    cut: list[Segment] = []
    begin, origin = 0, zero
    for index in range(1, len(times)):
        start, before = starts[index], times[index - 1]
        # A start that moved to before the last point is a correction, no reset.
        if totals[index] < totals[index - 1] or (start > starts[index - 1] and start >= before):
            cut.append(Segment(begin, index, origin))
            begin, origin = index, start if before <= start < times[index] else before
    cut.append(Segment(begin, len(times), origin))
    return cut


def rises(points: Rows, edges: Sequence[int], gap: int, zero: int | None) -> list[array[float] | None]:
    """
    Return what a cumulative series rose by between each two neighbouring edges; None where nothing is known.

    Args:
        edges: Ascending.
        gap: Neighbouring points further apart leave the steps between unknown.
        zero: See `segments`.

    Cost: about 1 us for an edge and 16 numbers; the points themselves cost next to nothing.
    """
    result: list[array[float] | None] = [None] * (len(edges) - 1)
    for segment in segments(points, zero):
        first = segment.zero if segment.zero is not None else points.times[segment.begin]
        last = points.times[segment.end - 1]
        begin = max(0, bisect_right(edges, first) - 1)
        end = min(len(result), bisect_left(edges, last))
        if begin >= end:
            continue
        levels = [_level(points, segment, edge) for edge in edges[begin : end + 1]]
        for step, (before, after) in enumerate(pairwise(levels), start=begin):
            rise = array("d", map(sub, after, before))
            known = result[step]
            result[step] = rise if known is None else plus(known, rise)
        for left, right in _gaps(points.times, segment, gap):
            _empty(result, edges, left, right)
    return result


def _level(points: Rows, segment: Segment, edge: int) -> Sequence[float]:
    """Return the curve's row at ``edge``; beyond its ends it is level."""
    times = points.times
    right = bisect_right(times, edge, segment.begin, segment.end)
    if right == segment.end:
        return points.row(right - 1)
    after = points.row(right)
    if right == segment.begin:
        if segment.zero is None:
            return after
        if edge <= segment.zero:
            return [0.0] * points.stride
        share = (edge - segment.zero) / (times[right] - segment.zero)
        return [value * share for value in after]
    share = (edge - times[right - 1]) / (times[right] - times[right - 1])
    before = points.row(right - 1)
    if share == 0:
        return before
    return [low + (high - low) * share for low, high in zip(before, after, strict=True)]


def _gaps(times: Sequence[int], segment: Segment, gap: int) -> Iterator[tuple[int, int]]:
    # Most series have none, which the greatest possible distance tells at once.
    if times[segment.end - 1] - times[segment.begin] > gap:
        for index in range(segment.begin, segment.end - 1):
            if times[index + 1] - times[index] > gap:
                yield times[index], times[index + 1]


def _empty(result: list[array[float] | None], edges: Sequence[int], left: int, right: int) -> None:
    """Empty the steps that lie between two points; their rise goes to the step of the later one, if there is one."""
    begin, end = bisect_left(edges, left), min(bisect_right(edges, right) - 1, len(result))
    moved: array[float] | None = None
    for step in range(begin, end):
        rise = result[step]
        if rise is not None:
            moved = rise if moved is None else plus(moved, rise)
        result[step] = None
    if moved is not None and end < len(result):
        known = result[end]
        result[end] = moved if known is None else plus(known, moved)


def plus(left: array[float], right: array[float]) -> array[float]:
    """Return the sum, number by number."""
    return array("d", map(add, left, right))


def merge(into: list[array[float] | None], more: Sequence[array[float] | None]) -> None:
    """Add another series of the same axis and stride; what only one of them knows stays known."""
    for step, rise in enumerate(more):
        if rise is not None:
            known = into[step]
            into[step] = rise if known is None else plus(known, rise)


def typical_interval(times: Sequence[int]) -> int | None:
    """Return the median distance of the last times (50 at most), or None with fewer than two."""
    distances = sorted(after - before for before, after in pairwise(times[-50:]))
    return distances[len(distances) // 2] if distances else None


def means(times: Sequence[int], values: Sequence[float], edges: Sequence[int], hold: int) -> list[float | None]:
    """
    Return the mean reading of a gauge in each step; one without a reading has the last that is younger than ``hold``.

    A gauge holds until it is read again, but not for ever; after its last reading it is unknown.
    """
    result: list[float | None] = []
    for left, right in pairwise(edges):
        begin, end = bisect_left(times, left), bisect_left(times, right)
        if end > begin:
            result.append(sum(values[begin:end]) / (end - begin))
        elif 0 < begin < len(times) and left - times[begin - 1] <= hold:
            result.append(values[begin - 1])
        else:
            result.append(None)
    return result
