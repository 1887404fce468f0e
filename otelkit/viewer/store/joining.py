# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Points of one series for those who look at single ones."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from otelkit.viewer.store.flat import Flat
from otelkit.viewer.store.model import Histograms, Numbers
from otelkit.viewer.store.packing import Array

__all__ = ("histograms_of", "join_listed", "numbers_of")


def numbers_of(points: Flat) -> dict[int, Numbers]:
    """Return the points of gauges or sums by series."""
    columns = points.columns
    values = columns["values"]
    ones = columns.get("merged")
    found: dict[int, Numbers] = {}
    for number, begin, end in _rows(points):
        found[number] = Numbers(
            _integers(points.times_ns[begin:end]),
            _integers(columns["starts_ns"][begin:end]),
            _floats(values[begin:end]),
            _floats(columns.get("lows", values)[begin:end]),
            _floats(columns.get("highs", values)[begin:end]),
            _integers(ones[begin:end]) if ones is not None else array("q", (1,)) * (end - begin),
        )
    return found


def histograms_of(points: Flat, bounds: tuple[float, ...]) -> dict[int, Histograms]:
    """Return the points of histograms of the same bounds by series; of merged ones counts are rounded."""
    columns = points.columns
    ones = columns.get("merged")
    found: dict[int, Histograms] = {}
    for number, begin, end in _rows(points):
        found[number] = Histograms(
            bounds,
            _integers(points.times_ns[begin:end]),
            _integers(columns["starts_ns"][begin:end]),
            _integers(columns["counts"][begin:end].round()),
            _floats(columns["sums"][begin:end]),
            _floats(columns["minima"][begin:end]),
            _floats(columns["maxima"][begin:end]),
            _integers(columns["buckets"][begin:end].round().ravel()),
            _integers(ones[begin:end]) if ones is not None else array("q", (1,)) * (end - begin),
        )
    return found


def join_listed(parts: Sequence[Sequence[Any]], from_ns: int, to_ns: int) -> list[Any]:
    """Return all points of the range; of several of one time the one that arrived last."""
    by_time = {point.time_ns: point for part in parts for point in part if from_ns <= point.time_ns < to_ns}
    return [by_time[time_ns] for time_ns in sorted(by_time)]


def _rows(points: Flat) -> list[tuple[int, int, int]]:
    offsets = points.offsets.tolist()
    return list(zip(points.series.tolist(), offsets[:-1], offsets[1:], strict=True))


def _integers(column: Array) -> array[int]:
    return array("q", column.astype("int64").tobytes())


def _floats(column: Array) -> array[float]:
    return array("d", column.astype("float64").tobytes())
