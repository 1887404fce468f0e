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
from otelkit.viewer.analysis.curves import NEVER, Curves, Readings, means_by_group, rises_by_group
from otelkit.viewer.api.filters import look_up
from otelkit.viewer.store import ExponentialPoint, Flat, Reading, Series, resolution_for

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
    groups = _Adding(chosen, by, edges, gap, births)
    for points in store.number_columns(groups.ids, *_around(edges, gap), _step(edges)):
        values = points.columns["values"]
        groups.add(points, values, values[:, None], None)
    return groups.found


def distributions(
    store: Reading, chosen: Sequence[Series], by: Sequence[str], edges: Times, gap: int, births: Births
) -> Groups:
    """Add up histograms, of either kind."""
    begin, end = _around(edges, gap)
    groups = _Adding([each for each in chosen if each.metric.kind == "histogram"], by, edges, gap, births)
    for bounds, points in store.histogram_columns(groups.ids, begin, end, _step(edges)):
        # A sum that was not sent is NaN, and must not spoil those of others.
        values = np.column_stack((points.columns["buckets"], np.nan_to_num(points.columns["sums"])))
        groups.add(points, points.columns["counts"], values, bounds)
    others = [each for each in chosen if each.metric.kind == "exponential_histogram"]
    raw = store.exponential_histograms([each.id for each in others], begin, end) if others else {}
    for series in others:
        if raw.get(series.id):
            _add(groups.found, series, by, _exponential_points(raw[series.id]), edges, gap, births, buckets.GRID)
    return groups.found


def _step(edges: Times) -> int:
    return int(edges[1] - edges[0])


def _around(edges: Times, gap: int) -> tuple[int, int]:
    """Return the range in which the points around all edges lie."""
    apart = max(gap, resolution_for(_step(edges)))
    return int(edges[0]) - apart, int(edges[-1]) + apart


class _Adding:
    """
    Series on their way into groups.

    Attributes:
        ids: Of the series.
        found: The groups.
    """

    def __init__(
        self, chosen: Sequence[Series], by: Sequence[str], edges: Times, gap: int, births: Births | None
    ) -> None:
        self._series = {each.id: each for each in chosen}
        self._by, self._edges, self._gap, self._births = by, edges, gap, births
        self.ids = list(self._series)
        self.found: Groups = {}

    def add(self, points: Flat, totals: curve.Floats, values: curve.Floats, bounds: buckets.Bounds | None) -> None:
        """Add what some series rose by."""
        of = self.of(points)
        assert self._births is not None
        begins = points.offsets[:-1]
        firsts, starts = points.times_ns[begins].tolist(), points.columns["starts_ns"][begins].tolist()
        totals, values = self._cumulative(of, points, totals, values)
        zeros: list[int | None] = []
        for row, (series, first, start) in enumerate(zip(of, firsts, starts, strict=True)):
            if series.metric.temporality == "delta":
                zeros.append(_zero_of_differences(first, start, _interval(points, row), self._gap))
            else:
                zeros.append(self._births.zero(series, first, start, self._gap))
        keys, places = self.keys(of)
        curves = Curves(
            points.offsets,
            points.times_ns,
            self._starts(of, points),
            totals,
            values,
            np.array([NEVER if zero is None else zero for zero in zeros], dtype=np.int64),
            places,
        )
        # Merged points are as far apart as that without a gap between them.
        gap = max(self._gap, resolution_for(_step(self._edges)))
        rises = rises_by_group(curves, self._edges, gap, len(keys))
        for key, rise in zip(keys, rises, strict=True):
            self._join(key, rise, bounds)
        since = [first if zero is None else zero for first, zero in zip(firsts, zeros, strict=True)]
        self.note(points, keys, places, np.array(since, dtype=np.int64))

    def of(self, points: Flat) -> list[Series]:
        """Return the series of points."""
        return [self._series[number] for number in points.series.tolist()]

    def keys(self, of: Sequence[Series]) -> tuple[list[Key], Any]:
        """Return the keys of series, each once, and which of them each series has."""
        places: dict[Key, int] = {}
        each = [places.setdefault(key_of(series, self._by), len(places)) for series in of]
        return list(places), np.array(each, dtype=np.intp)

    def note(self, points: Flat, keys: Sequence[Key], places: Any, since: Times) -> None:
        """Take note in the groups of how many series they have, from when on, until when, and how often they report."""
        _, first_rows = np.unique(places, return_index=True)
        counts = np.bincount(places, minlength=len(keys)).tolist()
        low, high = np.full(len(keys), np.iinfo(np.int64).max), np.zeros(len(keys), dtype=np.int64)
        np.minimum.at(low, places, since)
        np.maximum.at(high, places, points.times_ns[points.offsets[1:] - 1])
        for key, row, count, first, last in zip(
            keys, first_rows.tolist(), counts, low.tolist(), high.tolist(), strict=True
        ):
            group = self.found[key]
            group.series += count
            group.first, group.last = min(group.first or first, first), max(group.last, last)
            if not group.every:
                times = points.times_ns[points.offsets[row] : points.offsets[row + 1]]
                group.every = curve.typical_interval(times)

    def _join(self, key: Key, rise: Rise, bounds: buckets.Bounds | None) -> None:
        group = self.found.get(key)
        if group is None:
            self.found[key] = Group(rise, bounds)
            return
        if group.bounds != bounds:
            rise, group.inexact = rebucketed(rise, bounds or (), group.bounds or ()), True
        group.rise.add(rise)

    @staticmethod
    def _cumulative(
        of: Sequence[Series], points: Flat, totals: curve.Floats, values: curve.Floats
    ) -> tuple[curve.Floats, curve.Floats]:
        """Add up what series of delta temporality report."""
        differences = [row for row, series in enumerate(of) if series.metric.temporality == "delta"]
        if not differences:
            return totals, values
        totals, values = totals.astype(np.float64), values.copy()
        for row in differences:
            begin, end = int(points.offsets[row]), int(points.offsets[row + 1])
            totals[begin:end] = np.cumsum(totals[begin:end])
            values[begin:end] = np.cumsum(values[begin:end], axis=0)
        return totals, values

    @staticmethod
    def _starts(of: Sequence[Series], points: Flat) -> Times:
        """Return the starts; those of differences are no resets."""
        starts = points.columns["starts_ns"]
        differences = np.array([series.metric.temporality == "delta" for series in of], dtype=np.bool_)
        if not differences.any():
            return starts
        return np.where(np.repeat(differences, np.diff(points.offsets)), 0, starts)


def _interval(points: Flat, row: int) -> int:
    """Return the typical distance of a series' reports, which merged points stand for several of; 0: not known."""
    begin, end = int(points.offsets[row]), int(points.offsets[row + 1])
    apart = curve.typical_interval(points.times_ns[begin:end])
    if "merged" not in points.columns:
        return apart
    return int(apart / max(1.0, float(np.median(points.columns["merged"][begin:end]))))


def _zero_of_differences(first: int, start: int, interval: int, gap: int) -> int | None:
    """Return when the first difference began, if that is known, or can be guessed."""
    if 0 < start < first and first - start <= gap:
        return start
    return first - interval if interval else None


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
    groups = _Adding(chosen, by, edges, gap, None)
    averaged: dict[Key, curve.Floats] = {}
    for points in store.number_columns(groups.ids, _around(edges, gap)[0], int(edges[-1]), _step(edges)):
        of = groups.of(points)
        keys, places = groups.keys(of)
        values, counts = means_by_group(_readings(of, points, places), edges, gap, len(keys))
        for place, key in enumerate(keys):
            rise = Rise(values[place][:, None], counts[place] > 0)
            group = groups.found.get(key)
            if group is None:
                groups.found[key] = Group(rise)
            else:
                group.rise.add(rise)
        groups.note(points, keys, places, points.times_ns[points.offsets[:-1]])
        for place in {
            place for series, place in zip(of, places.tolist(), strict=True) if series.metric.kind == "gauge"
        }:
            known = averaged.setdefault(keys[place], np.zeros(len(edges) - 1))
            known += counts[place]
    for key, counts_ in averaged.items():
        groups.found[key].rise.values /= np.maximum(counts_, 1.0)[:, None]
    return groups.found


def _readings(of: Sequence[Series], points: Flat, places: Any) -> Readings:
    """Return readings; of counters that are merged each point is one."""
    columns, values = points.columns, points.columns["values"]
    if "merged" not in columns:
        return Readings(points.offsets, points.times_ns, values, np.ones(len(values)), values, places)
    rising = np.array([each.metric.kind == "sum" and each.metric.monotonic for each in of], dtype=np.bool_)
    alone = np.repeat(rising, np.diff(points.offsets))
    sums, merged = np.where(alone, values, columns["sums"]), np.where(alone, 1.0, columns["merged"])
    return Readings(points.offsets, points.times_ns, sums, merged, values, places)
