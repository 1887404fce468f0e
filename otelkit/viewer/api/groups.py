# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Points of many series, read from the store and added up by labels, in steps.

One function per kind of point; all give a `Group` for each set of label values.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from otelkit.viewer.analysis import buckets, curve
from otelkit.viewer.api.filters import look_up
from otelkit.viewer.store import ExponentialPoint, Histograms, Numbers, Reading, Series

Key = tuple[str, ...]

Steps = list["array[float] | None"]

Value = TypeVar("Value")


@dataclass(slots=True)
class Group:
    """
    What series with the same values of the chosen labels rose by, or read, in each step.

    Attributes:
        steps: One row of numbers for each step. Counters and gauges: one number. Histograms: a count for each
            bucket, and last the sum of the observations.
        bounds: Of the buckets; None where these are no histograms.
        last: Time of the latest point, nanoseconds; likewise ``first``.
        every: Nanoseconds between points; 0 if not known.
        inexact: Buckets of different bounds had to be spread.
    """

    steps: Steps
    bounds: buckets.Bounds | None = None
    first: int = 0
    last: int = 0
    every: int = 0
    series: int = 0
    inexact: bool = field(default=False)

    def seen(self, times: Sequence[int]) -> None:
        """Take note of a series' times."""
        self.series += 1
        self.first = min(self.first or times[0], times[0])
        self.last = max(self.last, times[-1])
        self.every = max(self.every, curve.typical_interval(times) or 0)


Groups = dict[Key, Group]


@dataclass(frozen=True, slots=True)
class Births:
    """
    When processes were first heard of, in nanoseconds by service.instance.id.

    A new series of a process that is known rose from zero since; the first ones of a new process rose from their
    start, unless that lies too far back to tell when.
    """

    instances: Mapping[str, int]

    @classmethod
    def of(cls, series: Iterable[Series]) -> Births:
        """Look through all series."""
        born: dict[str, int] = {}
        for each in series:
            known = born.get(each.instance)
            if known is None or each.first_ns < known:
                born[each.instance] = each.first_ns
        return cls(born)

    def zero(self, series: Series, time: int, start: int, gap: int) -> int | None:
        """Return when the series was zero, given its first point that was read; None if nobody knows."""
        if series.first_ns < time:
            return None
        if 0 < start < time and time - start <= gap:
            return start
        known = self.instances.get(series.instance, time)
        return max(known, time - gap) if known < time else None


def key_of(series: Series, by: Sequence[str]) -> Key:
    """Return the values of labels, or else of attributes of the resource; empty where there is none."""
    return tuple(
        "" if (value := look_up(each, series.attributes, series.resource)) is None else str(value) for each in by
    )


def sums(
    store: Reading, chosen: Sequence[Series], by: Sequence[str], edges: Sequence[int], gap: int, births: Births
) -> Groups:
    """Add up what sums rose by."""
    columns = store.numbers([each.id for each in chosen], edges[0] - gap, edges[-1] + gap)
    groups: Groups = {}
    for series in chosen:
        points = columns.get(series.id)
        if points is not None and len(points.times_ns):
            rows = curve.Rows(points.times_ns, points.starts_ns, points.values, points.values, 1)
            _add(groups, series, by, rows, edges, gap, births, None)
    return groups


def distributions(
    store: Reading, chosen: Sequence[Series], by: Sequence[str], edges: Sequence[int], gap: int, births: Births
) -> Groups:
    """Add up histograms, of either kind."""
    groups: Groups = {}
    begin, end = edges[0] - gap, edges[-1] + gap
    plain = [each for each in chosen if each.metric.kind == "histogram"]
    for series, parts in _in_order(plain, store.histograms([each.id for each in plain], begin, end)):
        for points in parts:
            _add(groups, series, by, _rows(points), edges, gap, births, points.bounds)
    others = [each for each in chosen if each.metric.kind == "exponential_histogram"]
    if others:
        for series, raw in _in_order(others, store.exponential_histograms([each.id for each in others], begin, end)):
            _add(groups, series, by, _exponential_rows(raw), edges, gap, births, buckets.GRID)
    return groups


def _in_order(chosen: Sequence[Series], found: Mapping[int, Value]) -> list[tuple[Series, Value]]:
    return [(each, found[each.id]) for each in chosen if each.id in found]


def _rows(points: Histograms) -> curve.Rows:
    """Put each point's sum behind its buckets."""
    stride = points.stride
    flat = array("d", bytes(8 * (stride + 1) * len(points.times_ns)))
    for offset in range(stride):
        flat[offset :: stride + 1] = array("d", points.buckets[offset::stride])
    # A sum that was not sent is NaN; it must not spoil those of other series.
    flat[stride :: stride + 1] = array("d", [each if each == each else 0.0 for each in points.sums])
    return curve.Rows(points.times_ns, points.starts_ns, points.counts, flat, stride + 1)


def _exponential_rows(points: Sequence[ExponentialPoint]) -> curve.Rows:
    flat = array("d")
    for each in points:
        below = each.zero_count + sum(each.negative)
        flat.extend(buckets.exponential_counts(each.scale, each.positive_offset, each.positive, below))
        flat.append(each.sum or 0.0)
    times, starts = [each.time_ns for each in points], [each.start_ns for each in points]
    return curve.Rows(times, starts, [each.count for each in points], flat, len(buckets.GRID) + 2)


def _add(
    groups: Groups,
    series: Series,
    by: Sequence[str],
    rows: curve.Rows,
    edges: Sequence[int],
    gap: int,
    births: Births,
    bounds: buckets.Bounds | None,
) -> None:
    if not len(rows.times):
        return
    zero = births.zero(series, rows.times[0], rows.starts[0], gap)
    if series.metric.temporality == "delta":
        first, start = rows.times[0], rows.starts[0]
        interval = curve.typical_interval(rows.times) or 0
        zero = start if 0 < start < first and first - start <= gap else first - interval if interval else None
        rows = curve.accumulated(rows)
    rose = curve.rises(rows, edges, gap, zero)
    key = key_of(series, by)
    group = groups.get(key)
    if group is None:
        group = groups[key] = Group([None] * (len(edges) - 1), bounds)
    elif group.bounds != bounds:
        rose = _same_bounds(group, bounds or (), rose)
    group.seen(rows.times)
    curve.merge(group.steps, rose)


def _same_bounds(group: Group, bounds: buckets.Bounds, rose: Steps) -> Steps:
    """Bring a series with other bounds to those of its group."""
    group.inexact = True
    target = group.bounds or ()
    return [
        None if each is None else array("d", [*buckets.rebucket(bounds, each[:-1], target), each[-1]]) for each in rose
    ]


def gauges(store: Reading, chosen: Sequence[Series], by: Sequence[str], edges: Sequence[int], gap: int) -> Groups:
    """
    Return readings: of sums that may fall (active requests) the sum over series, of gauges the mean.

    A process that ended does not count any more.
    """
    columns = store.numbers([each.id for each in chosen], edges[0] - gap, edges[-1])
    groups: Groups = {}
    counted: dict[Key, list[int]] = {}
    for series in chosen:
        points = columns.get(series.id)
        if points is None or not len(points.times_ns):
            continue
        key = key_of(series, by)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group([None] * (len(edges) - 1))
        group.seen(points.times_ns)
        seen = counted.setdefault(key, [0] * (len(edges) - 1))
        additive = series.metric.kind == "sum"
        for step, value in enumerate(_readings(points, edges, gap)):
            if value is None:
                continue
            known = group.steps[step]
            seen[step] += 1
            if known is None:
                group.steps[step] = array("d", (value,))
            elif additive:
                known[0] += value
            else:
                known[0] += (value - known[0]) / seen[step]
    return groups


def _readings(points: Numbers, edges: Sequence[int], gap: int) -> list[float | None]:
    interval = curve.typical_interval(points.times_ns)
    hold = min(gap, 3 * interval) if interval else gap
    return curve.means(points.times_ns, points.values, edges, hold)
