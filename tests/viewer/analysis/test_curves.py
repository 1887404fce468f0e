# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Many series at once give what each gives by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otelkit.viewer.analysis import curve, curves
from otelkit.viewer.analysis.curve import Points, Rise

GROUPS = 3


@st.composite
def series(draw: st.DrawFn) -> tuple[Points, int | None, int]:
    """Draw points of a series that may be reset, when it was zero, and its group; times are even."""
    times = sorted(draw(st.sets(st.integers(0, 400), min_size=1, max_size=12)))
    rows = [[draw(st.integers(0, 9)) for _ in range(2)] for _ in times]
    values = np.cumsum(np.array(rows, dtype=np.float64), axis=0)
    starts = np.zeros(len(times), dtype=np.int64)
    reset = draw(st.integers(0, 2 * len(times)))
    if 0 < reset < len(times):
        values[reset:] -= values[reset - 1]
        starts[reset:] = 2 * times[reset - 1] + draw(st.integers(-3, 3))
    zero = 2 * times[0] - draw(st.integers(1, 60)) if draw(st.booleans()) else None
    points = Points(2 * np.array(times, dtype=np.int64), starts, values.sum(axis=1), values)
    return points, zero, draw(st.integers(0, GROUPS - 1))


@settings(max_examples=200, deadline=None)
@given(
    drawn=st.lists(series(), min_size=1, max_size=8),
    first=st.integers(-50, 400),
    width=st.integers(1, 50),
    steps=st.integers(1, 15),
    gap=st.integers(5, 300),
    at_once=st.sampled_from((1, 60, 200_000)),
)
def test_as_each_by_itself(
    drawn: list[tuple[Points, int | None, int]], first: int, width: int, steps: int, gap: int, at_once: int
) -> None:
    """What rose, what was read and what is known: by group, whatever is worked out together."""
    edges = np.arange(steps + 1, dtype=np.int64) * 2 * width + 2 * first + 1
    rises = [Rise.nothing(steps, 2) for _ in range(GROUPS)]
    means = [Rise.nothing(steps, 1) for _ in range(GROUPS)]
    counted = np.zeros((GROUPS, steps))
    for points, zero, group in drawn:
        rises[group].add(curve.rises(points, edges, gap, zero))
        interval = curve.typical_interval(points.times)
        hold = min(gap, 3 * interval) if interval else gap
        mean = curve.means(points.times, points.values[:, 0], edges, hold)
        means[group].add(mean)
        counted[group] += mean.known
    many = _together(drawn)
    readings = curves.Readings(
        many.offsets, many.times, many.values[:, 0], np.ones(len(many.times)), many.values[:, 0], many.groups
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "_AT_ONCE", at_once)
        found = curves.rises_by_group(many, edges, gap, GROUPS)
        read, counts = curves.means_by_group(readings, edges, gap, GROUPS)
    for group in range(GROUPS):
        assert np.allclose(found[group].values, rises[group].values)
        assert found[group].known.tolist() == rises[group].known.tolist()
        assert np.allclose(read[group], means[group].values[:, 0])
    assert counts.tolist() == counted.tolist()


def _together(drawn: list[tuple[Points, int | None, int]]) -> curves.Curves:
    lengths = [len(points.times) for points, _, _ in drawn]
    times, starts, totals, values = (
        np.concatenate([getattr(points, name) for points, _, _ in drawn]) for name in Points._fields
    )
    return curves.Curves(
        np.concatenate(([0], np.cumsum(lengths))),
        times,
        starts,
        totals,
        values,
        np.array([curves.NEVER if zero is None else zero for _, zero, _ in drawn], dtype=np.int64),
        np.array([group for _, _, group in drawn]),
    )
