# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Points of many series, read from the store and added up by labels, in steps.

One function per kind of point; all give a `Group` for each set of label values.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from otelkit.viewer.analysis import buckets, curve
from otelkit.viewer.analysis.curve import Points, Rise, Times
from otelkit.viewer.api.filters import look_up
from otelkit.viewer.store import ExponentialPoint, Histograms, Numbers, Reading, Series

Key = tuple[str, ...]

Steps = list["array[float] | None"]


@dataclass(slots=True)
class Group:
    """
    What series with the same values of the chosen labels rose by, or read, in each step.

    Attributes:
        rise: One row of numbers for each step. Counters and gauges: one number. Histograms: a count for each
            bucket, and last the sum of the observations.
        bounds: Of the buckets; None where these are no histograms.
        first: From when on something is known, nanoseconds: the start of what the first point covers, else its time.
        last: Time of the latest point.
        every: Nanoseconds between points; 0 if not known.
        inexact: Buckets of different bounds had to be spread.
    """

    rise: Rise
    bounds: buckets.Bounds | None = None
    first: int = 0
    last: int = 0
    every: int = 0
    series: int = 0
    inexact: bool = False

    @property
    def steps(self) -> Steps:
        """The rows as arrays, None where nothing is known."""
        return steps_of(self.rise)

    def seen(self, times: Times, zero: int | None = None) -> None:
        """Take note of a series' times, and when it was zero."""
        self.series += 1
        first = int(times[0]) if zero is None else zero
        self.first = min(self.first or first, first)
        self.last = max(self.last, int(times[-1]))
        if not self.every:
            self.every = curve.typical_interval(times)


Groups = dict[Key, Group]


def steps_of(rise: Rise) -> Steps:
    """Return rows as arrays, None where nothing is known."""
    return [
        array("d", row.tobytes()) if known else None
        for row, known in zip(rise.values, rise.known.tolist(), strict=True)
    ]


_OLDER_THAN_PROCESSES = ("system.", "process.", "hw.", "container.", "k8s.", "cpython.")
"""Namespaces whose counters run since the machine or the interpreter started, not since a meter did."""


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
        if series.first_ns < time or series.metric.name.startswith(_OLDER_THAN_PROCESSES):
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


def sums(store: Reading, chosen: Sequence[Series], by: Sequence[str], edges: Times, gap: int, births: Births) -> Groups:
    """Add up what sums rose by."""
    columns = store.numbers([each.id for each in chosen], int(edges[0]) - gap, int(edges[-1]) + gap)
    groups: Groups = {}
    for series in chosen:
        read = columns.get(series.id)
        if read is not None and len(read.times_ns):
            values = _floats(read.values)
            points = Points(_times(read.times_ns), _times(read.starts_ns), values, values[:, None])
            _add(groups, series, by, points, edges, gap, births, None)
    return groups


def distributions(
    store: Reading, chosen: Sequence[Series], by: Sequence[str], edges: Times, gap: int, births: Births
) -> Groups:
    """Add up histograms, of either kind."""
    groups: Groups = {}
    begin, end = int(edges[0]) - gap, int(edges[-1]) + gap
    plain = [each for each in chosen if each.metric.kind == "histogram"]
    found = store.histograms([each.id for each in plain], begin, end)
    for series in plain:
        for read in found.get(series.id, ()):
            _add(groups, series, by, _points(read), edges, gap, births, read.bounds)
    others = [each for each in chosen if each.metric.kind == "exponential_histogram"]
    raw = store.exponential_histograms([each.id for each in others], begin, end) if others else {}
    for series in others:
        if raw.get(series.id):
            _add(groups, series, by, _exponential_points(raw[series.id]), edges, gap, births, buckets.GRID)
    return groups


def _times(column: array[int]) -> Times:
    return np.frombuffer(column, dtype=column.typecode).astype(np.int64, copy=False)


def _floats(column: array[Any]) -> curve.Floats:
    return np.frombuffer(column, dtype=column.typecode).astype(np.float64, copy=False)


def _points(read: Histograms) -> Points:
    """Put each point's sum behind its buckets; one that was not sent is NaN, and must not spoil those of others."""
    rows = _floats(read.buckets).reshape(-1, read.stride)
    values = np.column_stack((rows, np.nan_to_num(_floats(read.sums))))
    return Points(_times(read.times_ns), _times(read.starts_ns), _floats(read.counts), values)


def _exponential_points(raw: Sequence[ExponentialPoint]) -> Points:
    rows = []
    for each in raw:
        below = each.zero_count + sum(each.negative)
        counts = buckets.exponential_counts(each.scale, each.positive_offset, each.positive, below)
        rows.append([*counts, each.sum or 0.0])
    return Points(
        np.array([each.time_ns for each in raw], dtype=np.int64),
        np.array([each.start_ns for each in raw], dtype=np.int64),
        np.array([each.count for each in raw], dtype=np.float64),
        np.array(rows, dtype=np.float64),
    )


def _add(
    groups: Groups,
    series: Series,
    by: Sequence[str],
    points: Points,
    edges: Times,
    gap: int,
    births: Births,
    bounds: buckets.Bounds | None,
) -> None:
    if not len(points.times):
        return
    first, start = int(points.times[0]), int(points.starts[0])
    zero = births.zero(series, first, start, gap)
    if series.metric.temporality == "delta":
        interval = curve.typical_interval(points.times)
        zero = start if 0 < start < first and first - start <= gap else first - interval if interval else None
        points = curve.accumulated(points)
    rise = curve.rises(points, edges, gap, zero)
    key = key_of(series, by)
    group = groups.get(key)
    if group is None:
        group = groups[key] = Group(rise, bounds)
    else:
        if group.bounds != bounds:
            rise, group.inexact = rebucketed(rise, bounds or (), group.bounds or ()), True
        group.rise.add(rise)
    group.seen(points.times, zero)


def rebucketed(rise: Rise, bounds: buckets.Bounds, target: buckets.Bounds) -> Rise:
    """Bring counts, whose last number is the sum, to other bounds."""
    rows = [[*buckets.rebucket(bounds, row[:-1].tolist(), target), row[-1]] for row in rise.values]
    return Rise(np.array(rows, dtype=np.float64), rise.known)


def gauges(store: Reading, chosen: Sequence[Series], by: Sequence[str], edges: Times, gap: int) -> Groups:
    """
    Return readings: of sums that may fall (active requests) the sum over series, of gauges the mean.

    A process that ended does not count any more.
    """
    columns = store.numbers([each.id for each in chosen], int(edges[0]) - gap, int(edges[-1]))
    groups: Groups = {}
    averaged: dict[Key, curve.Floats] = {}
    for series in chosen:
        read = columns.get(series.id)
        if read is None or not len(read.times_ns):
            continue
        times = _times(read.times_ns)
        rise = _readings(times, read, edges, gap)
        key = key_of(series, by)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(rise)
        else:
            group.rise.add(rise)
        group.seen(times)
        if series.metric.kind == "gauge":
            averaged.setdefault(key, np.zeros(len(edges) - 1))[rise.known] += 1
    for key, counts in averaged.items():
        groups[key].rise.values /= np.maximum(counts, 1.0)[:, None]
    return groups


def _readings(times: Times, read: Numbers, edges: Times, gap: int) -> Rise:
    interval = curve.typical_interval(times)
    return curve.means(times, _floats(read.values), edges, min(gap, 3 * interval) if interval else gap)
