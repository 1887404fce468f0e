# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What counters and histograms rose by in each step of an axis.

The points of a cumulative series are knots of a curve that only rises, and is linear in between: a report is spread
evenly over the interval that it covers, so that jitter makes no stripes, and the sum over all steps is exactly what
was reported. At a reset (a new start, or less than before) a new curve begins, at zero: no rise is ever negative.
Where two knots are further apart than a gap, nothing is known about the steps between, and the rise stands in the
step of the later knot.

Times are of one unit, nanoseconds in the viewer. What is here is for one series at a time, and says what is meant;
`curves` does the same for thousands of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Points(NamedTuple):
    """
    Points of one series, ascending in time.

    Attributes:
        starts: Of what each covers; 0 if not known.
        totals: What never falls but at a reset: a sum's values, a histogram's counts.
        values: One row of numbers for each point.
    """

    times: Times
    starts: Times
    totals: Floats
    values: Floats


@dataclass(slots=True)
class Rise:
    """
    What something rose by in each step.

    Attributes:
        values: One row of numbers for each step; zero where nothing is known.
        known: Whether anything is.
    """

    values: Floats
    known: Flags

    @classmethod
    def nothing(cls, steps: int, stride: int) -> Rise:
        """Return one of which nothing is known."""
        return cls(np.zeros((steps, stride)), np.zeros(steps, dtype=np.bool_))

    def add(self, more: Rise) -> None:
        """Add another one of the same steps and stride; what only one of them knows stays known."""
        self.values += more.values
        self.known |= more.known


class Segment(NamedTuple):
    """
    Points from ``begin`` to ``end``, exclusive, between two resets.

    Attributes:
        zero: When it was zero, if that is known: the curve's first knot.
    """

    begin: int
    end: int
    zero: int | None


def accumulated(points: Points) -> Points:
    """Return points of delta temporality as a cumulative series."""
    starts = np.full_like(points.starts, points.starts[0])
    return Points(points.times, starts, np.cumsum(points.totals), np.cumsum(points.values, axis=0))


def segments(points: Points, zero: int | None) -> list[Segment]:
    """
    Cut a cumulative series where it was reset.

    Args:
        zero: When the first segment was zero, or None if that is not known: what its first point had reached is then
            not counted.
    """
    times, starts, totals = points.times, points.starts, points.totals
    count = len(times)
    if not count:
        return []
    # A start that moved to before the last point is a correction, no reset.
    moved = (starts[1:] > starts[:-1]) & (starts[1:] >= times[:-1])
    resets = np.flatnonzero((totals[1:] < totals[:-1]) | moved) + 1
    if not len(resets):
        return [Segment(0, count, zero)]
    cut: list[Segment] = []
    begin, origin = 0, zero
    for reset in resets.tolist():
        cut.append(Segment(begin, reset, origin))
        start, before = int(starts[reset]), int(times[reset - 1])
        begin, origin = reset, start if before <= start < times[reset] else before
    return [*cut, Segment(begin, count, origin)]


def rises(points: Points, edges: Times, gap: int, zero: int | None) -> Rise:
    """
    Return what a cumulative series rose by between each two neighbouring edges.

    Args:
        edges: Ascending.
        gap: Neighbouring points further apart leave the steps between unknown.
        zero: See `segments`.
    """
    result = Rise.nothing(len(edges) - 1, points.values.shape[1])
    for segment in segments(points, zero):
        times, values = points.times[segment.begin : segment.end], points.values[segment.begin : segment.end]
        if segment.zero is not None:
            times = np.concatenate((np.array([segment.zero], dtype=np.int64), times))
            values = np.concatenate((np.zeros((1, values.shape[1])), values))
        known = (edges[1:] > times[0]) & (edges[:-1] < times[-1])
        if known.any():
            levels = _levels(times, values, edges)
            result.values += levels[1:] - levels[:-1]
            result.known |= known
            for left, right in _gaps(times, gap):
                _empty(result, edges, left, right)
    return result


def _levels(times: Times, values: Floats, edges: Times) -> Floats:
    """Return the curve's rows at the edges; beyond its ends it is level."""
    right = np.searchsorted(times, edges, side="right")
    after = np.minimum(right, len(times) - 1)
    before = np.maximum(right - 1, 0)
    width = times[after] - times[before]
    share = np.divide(edges - times[before], width, out=np.zeros(len(edges)), where=width > 0)
    low = values[before]
    return low + (values[after] - low) * share[:, None]


def _gaps(times: Times, gap: int) -> Iterator[tuple[int, int]]:
    if times[-1] - times[0] > gap:  # most series have none
        for index in np.flatnonzero(np.diff(times) > gap).tolist():
            yield int(times[index]), int(times[index + 1])


def _empty(result: Rise, edges: Times, left: int, right: int) -> None:
    """Empty the steps that lie between two points; their rise goes to the step of the later one, if there is one."""
    begin = int(np.searchsorted(edges, left, side="left"))
    end = min(int(np.searchsorted(edges, right, side="right")) - 1, len(result.known))
    if begin >= end:
        return
    moved = result.values[begin:end].sum(axis=0)
    result.values[begin:end] = 0.0
    result.known[begin:end] = False
    if end < len(result.known):
        result.values[end] += moved
        result.known[end] = True


def typical_interval(times: Times) -> int:
    """Return the median distance of the last times (50 at most), or 0 with fewer than two."""
    distances = np.diff(times[-50:])
    return int(np.partition(distances, len(distances) // 2)[len(distances) // 2]) if len(distances) else 0


def means(times: Times, values: Floats, edges: Times, hold: int) -> Rise:
    """
    Return the mean reading of a gauge in each step; one without a reading has the last that is younger than ``hold``.

    A gauge holds until it is read again, but not for ever; after its last reading it is unknown.
    """
    result = Rise.nothing(len(edges) - 1, 1)
    place = np.searchsorted(times, edges, side="left")
    begin, end = place[:-1], place[1:]
    read = end > begin
    sums = np.concatenate((np.zeros(1), np.cumsum(values)))
    result.values[read, 0] = (sums[end[read]] - sums[begin[read]]) / (end[read] - begin[read])
    last = np.maximum(begin - 1, 0)
    held = ~read & (begin > 0) & (begin < len(times)) & (edges[:-1] - times[last] <= hold)
    result.values[held, 0] = values[last[held]]
    result.known |= read | held
    return result
