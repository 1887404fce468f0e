# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Lines that lead somewhere, and lines with fewer points."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelkit.viewer.analysis import trend
from otelkit.viewer.analysis.downsampling import extremes


def test_a_falling_line_reaches_zero() -> None:
    """Two less a second, from ten."""
    line = trend.fit([0, 1, 2], [10, 8, 6])
    assert line is not None
    assert line.slope == pytest.approx(-2)
    assert line.reaches(0) == pytest.approx(5)


def test_a_level_or_rising_line_never_reaches_zero() -> None:
    """None, and no time in the past."""
    level, rising = trend.fit([0, 1, 2], [5, 5, 5]), trend.fit([0, 1, 2], [1, 2, 3])
    assert level is not None
    assert rising is not None
    assert level.reaches(0) is None
    assert rising.reaches(0) is None


def test_two_points_are_no_trend() -> None:
    """Everything fits them."""
    assert trend.fit([0, 1], [1, 2]) is None


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), pixels=st.integers(1, 50))
def test_downsampling_keeps_first_last_least_and_greatest(values: list[float], pixels: int) -> None:
    """At most four points a pixel, in order."""
    times = [float(index) for index in range(len(values))]
    kept = extremes(times, values, pixels)
    assert kept[0] == (times[0], values[0])
    assert kept[-1] == (times[-1], values[-1])
    assert min(value for _, value in kept) == min(values)
    assert max(value for _, value in kept) == max(values)
    assert len(kept) <= 4 * pixels
    assert [when for when, _ in kept] == sorted({when for when, _ in kept})
