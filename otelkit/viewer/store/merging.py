# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How points of many series are merged to steps of time; `rollups` says what stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from otelkit.viewer.store.flat import Flat
from otelkit.viewer.store.packing import FRACTION, Array

__all__ = ("as_merged", "curve_points", "step_points")

_LARGEST = 1 << 62
_LEVELS = ("values", "counts", "sums", "buckets")
"""Columns that rise."""


class _Knots(NamedTuple):
    """
    Where the points of merged curves lie.

    Attributes:
        left, right: Points between which each lies, and ``share`` how far from the first to the second.
        run: Begins and ends, exclusive, of the runs they are of.
        place: Which of them each point as it was belongs to.
    """

    times: Array
    left: Array
    right: Array
    share: Array
    first: Array
    offsets: Array
    place: Array


def as_merged(points: Flat) -> Flat:
    """Return points as they came with the columns that merged ones have: each stands for itself."""
    columns = dict(points.columns)
    columns["merged"] = np.ones(len(points), dtype=np.int64)
    if "values" in columns:
        columns |= dict.fromkeys(("sums", "lows", "highs"), columns["values"])
    return Flat(points.series, points.offsets, columns)


def step_points(points: Flat, step_ns: int) -> Flat:
    """Return one point of a gauge for each step: the last, with sum, least, greatest and how many."""
    owners, columns = points.owners(), points.columns
    steps = points.times_ns // step_ns
    begins = np.flatnonzero(np.append(True, (owners[1:] != owners[:-1]) | (steps[1:] != steps[:-1])))
    last = np.append(begins[1:], len(points)) - 1
    merged = {name: columns[name][last] for name in ("times_ns", "starts_ns", "values")}
    merged["sums"] = np.add.reduceat(columns["sums"], begins)
    merged["lows"] = np.minimum.reduceat(columns["lows"], begins)
    merged["highs"] = np.maximum.reduceat(columns["highs"], begins)
    merged["merged"] = np.add.reduceat(columns["merged"], begins)
    return Flat(points.series, np.searchsorted(begins, points.offsets), merged)


def curve_points(points: Flat, step_ns: int, delta: bool) -> Flat:
    """Return the curves of counters or histograms at the steps' edges, and where they begin, end, or are broken."""
    levels = {name: points.columns[name] for name in _LEVELS if name in points.columns}
    if delta:
        levels = {name: _summed_up(column, points.offsets) for name, column in levels.items()}
    knots = _knots(points, levels["values" if "values" in levels else "counts"], step_ns, delta)
    if knots is None:
        return points
    risen = {name: _interpolated(column, knots) for name, column in levels.items()}
    if delta:
        risen = {name: _differences(column, knots.offsets) for name, column in risen.items()}
    starts = points.columns["starts_ns"][knots.first]
    if delta:
        inside = np.append(False, knots.first[1:] == knots.first[:-1])
        starts = np.where(inside, np.append(0, knots.times[:-1]), starts)
    columns = {"times_ns": knots.times, "starts_ns": starts, **risen, **_spreads(points, knots)}
    if "values" in risen:
        columns["sums"] = risen["values"]
    return Flat(points.series, knots.offsets, columns)


def _knots(points: Flat, totals: Array, step_ns: int, delta: bool) -> _Knots | None:
    """Lay knots; None where there are so many runs that their places do not fit into 64 bits."""
    times, starts = points.times_ns, points.columns["starts_ns"]
    new = np.zeros(len(times), dtype=np.bool_)
    new[1:] = times[1:] - times[:-1] > step_ns
    if not delta:
        moved = (starts[1:] > starts[:-1]) & (starts[1:] >= times[:-1])
        new[1:] |= (totals[1:] < totals[:-1]) | moved
    new[points.offsets[:-1]] = True
    begin = np.flatnonzero(new)
    end = np.append(begin[1:], len(times))
    length, low, high = end - begin, times[begin], times[end - 1]
    first_edge = low // step_ns + 1
    inside = np.maximum((high - 1) // step_ns - first_edge + 1, 0)
    knots = inside + 1 + (length > 1)
    fewer = knots < length
    size = np.where(fewer, knots, length)
    offsets = np.concatenate(([0], np.cumsum(size)))
    run = np.repeat(np.arange(len(begin)), size)
    place = np.arange(len(run)) - offsets[run]

    at = np.where(fewer[run], np.where(place == 0, begin[run], end[run] - 1), begin[run] + place)
    left, right, share, when = at, at.copy(), np.zeros(len(run)), times[at]
    between = np.flatnonzero(fewer[run] & (place > 0) & (place <= inside[run]))
    if len(between):
        base, width = int(times.min()), int(times.max() - times.min()) + 2
        if width * len(begin) > _LARGEST:
            return None
        of = run[between]
        edges = (first_edge[of] + place[between] - 1) * step_ns
        moved = times - base + np.repeat(np.arange(len(begin), dtype=np.int64) * width, length)
        after = np.searchsorted(moved, edges - base + of * width, side="right")
        left = at.copy()
        left[between], right[between], when[between] = after - 1, after, edges
        share[between] = (edges - times[after - 1]) / (times[after] - times[after - 1])
    own = np.repeat(np.arange(len(begin)), length)
    bins = np.minimum(-(-times // step_ns) - first_edge[own] + 1, knots[own] - 1)
    position = np.where(fewer[own], np.where(times == low[own], 0, bins), np.arange(len(times)) - begin[own])
    bounds = offsets[np.searchsorted(begin, points.offsets[:-1])]
    return _Knots(when, left, right, share, begin[run], np.append(bounds, offsets[-1]), offsets[own] + position)


def _interpolated(column: Array, knots: _Knots) -> Array:
    share = knots.share if column.ndim == 1 else knots.share[:, None]
    levels = column[knots.left] * (1.0 - share) + column[knots.right] * share
    scaled = column * FRACTION
    if bool(np.all(scaled == np.floor(scaled))):  # counts, and what was merged of them
        return np.round(levels * FRACTION) / FRACTION
    return np.where(share > 0, levels, column[knots.left])


def _spreads(points: Flat, knots: _Knots) -> dict[str, Array]:
    """Return least, greatest and how many of the points that belong to each knot."""
    begins = np.flatnonzero(np.append(True, knots.place[1:] != knots.place[:-1]))
    filled = knots.place[begins]
    merged = np.zeros(len(knots.times), dtype=np.int64)
    merged[filled] = np.add.reduceat(points.columns["merged"], begins)
    found: dict[str, Array] = {"merged": merged}
    for name, function in (("lows", np.fmin), ("highs", np.fmax), ("minima", np.fmin), ("maxima", np.fmax)):
        if name in points.columns:
            found[name] = points.columns[name][knots.right]
            found[name][filled] = function.reduceat(points.columns[name], begins)
    return found


def _summed_up(column: Array, offsets: Array) -> Array:
    """Add differences up, series by series."""
    risen = np.empty_like(column, dtype=np.float64)
    for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        np.cumsum(column[begin:end], axis=0, out=risen[begin:end])
    return risen


def _differences(column: Array, offsets: Array) -> Array:
    steps = np.diff(column, axis=0, prepend=np.zeros_like(column[:1]))
    steps[offsets[:-1]] = column[offsets[:-1]]
    return steps
