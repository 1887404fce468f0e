# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Deltas of cumulative snapshots, for one reader, that survive a failed export.

Cells are cumulative; what a reader has delivered is its own affair. A delta is
the snapshot less the last one that was *committed*, so the interval of a
failed export becomes part of the next delta: nothing is lost, and one longer
point takes the place of two. Counts and sums are differences. Extremes are
not: the store hands out those since this reader's last snapshot, and those of
intervals that failed are carried over here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import sub
from typing import Any

from otelkit._core._snapshot import (
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Kind,
    MetricSnapshot,
    NumberPoint,
    Point,
)

# By metric name, then by the id of the attributes, which the point keeps alive.
_Seen = dict[str, dict[int, Any]]


class Deltas:
    """
    Turns cumulative snapshots into deltas. Not thread-safe: the reader's lock covers it.

    Args:
        kinds: Which kinds are turned; the others pass as they are.
    """

    def __init__(self, kinds: Collection[Kind]) -> None:
        self.kinds = frozenset(kinds)
        self._committed: _Seen = {}
        self._pending: _Seen = {}

    def take(self, snapshots: Iterable[MetricSnapshot]) -> list[MetricSnapshot]:
        """Return what has come since the last `commit`; series without news are left out."""
        failed, self._pending = self._pending, {}
        deltas = []
        for snapshot in snapshots:
            metric, points = snapshot
            if metric.kind not in self.kinds:
                deltas.append(snapshot)
                continue
            if metric.name in failed and metric.kind in _HAS_EXTREMES:
                points = _with_extremes_of(failed[metric.name], points)
            seen = self._pending[metric.name] = {id(point.attributes): point for point in points}
            committed = self._committed.get(metric.name)
            if committed is not None:
                difference = _DIFFERENCE[metric.kind]
                points = [difference(point, committed.get(key)) for key, point in seen.items()]
                points = [point for point in points if point is not None]
            deltas.append(MetricSnapshot(metric, points))
        return deltas

    def commit(self) -> None:
        """Take the last `take` as delivered."""
        if self._pending:
            self._committed, self._pending = self._pending, {}


def _with_extremes_of(failed: dict[int, Any], points: list[Any]) -> list[Point]:
    """Widen each point's extremes by those of its interval that could not be delivered."""
    widened = []
    for point in points:
        old = failed.get(id(point.attributes))
        if old is None or old.start_ns != point.start_ns:
            widened.append(point)
        elif old.count == point.count:  # nothing came since: what the store says of an empty interval does not count
            widened.append(point._replace(min=old.min, max=old.max))
        else:
            widened.append(point._replace(min=min(old.min, point.min), max=max(old.max, point.max)))
    return widened


def _number(point: NumberPoint, before: NumberPoint | None) -> NumberPoint | None:
    if before is None or before.start_ns != point.start_ns:
        return point
    if point.value == before.value:
        return None
    exemplar = point.exemplar
    if exemplar is not None and exemplar.time_ns <= before.time_ns:
        exemplar = None
    return NumberPoint(point.attributes, before.time_ns, point.time_ns, point.value - before.value, exemplar)


def _histogram(point: HistogramPoint, before: HistogramPoint | None) -> HistogramPoint | None:
    if before is None:
        return point
    attributes, start_ns, time_ns, count, total, low, high, bounds, buckets, exemplars = point
    _, old_start_ns, since_ns, old_count, old_total, _, _, old_bounds, old_buckets, _ = before
    if old_start_ns != start_ns or (old_bounds is not bounds and old_bounds != bounds):
        return point
    if count == old_count:
        return None
    return HistogramPoint(
        attributes,
        since_ns,
        time_ns,
        count - old_count,
        total - old_total,
        low,
        high,
        bounds,
        tuple(map(sub, buckets, old_buckets)),
        _since(since_ns, exemplars) if exemplars else (),
    )


def _exponential(point: ExponentialPoint, before: ExponentialPoint | None) -> ExponentialPoint | None:
    if before is None or before.start_ns != point.start_ns:
        return point
    count = point.count - before.count
    if not count:
        return None
    by = before.scale - point.scale
    return point._replace(
        start_ns=before.time_ns,
        count=count,
        sum=point.sum - before.sum,
        zero_count=point.zero_count - before.zero_count,
        positive=_less(point.positive_offset, point.positive, before.positive_offset, before.positive, by),
        negative=_less(point.negative_offset, point.negative, before.negative_offset, before.negative, by),
        exemplars=_since(before.time_ns, point.exemplars),
    )


def _less(offset: int, counts: Sequence[int], old_offset: int, old_counts: Sequence[int], by: int) -> list[int]:
    """Subtract ``old_counts``, whose scale is higher ``by`` that much: the scale only ever falls."""
    rest = list(counts)
    for index, count in enumerate(old_counts, old_offset):
        if count:
            rest[(index >> by) - offset] -= count
    return rest


def _since(time_ns: int, exemplars: tuple[Exemplar, ...]) -> tuple[Exemplar, ...]:
    return tuple(exemplar for exemplar in exemplars if exemplar.time_ns > time_ns)


_HAS_EXTREMES = frozenset((Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM))
_DIFFERENCE: dict[Kind, Callable[[Any, Any], Any]] = {
    Kind.COUNTER: _number,
    Kind.UP_DOWN_COUNTER: _number,
    Kind.HISTOGRAM: _histogram,
    Kind.EXPONENTIAL_HISTOGRAM: _exponential,
}
