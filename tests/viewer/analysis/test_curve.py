# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What counters rose by in each step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otelkit.viewer.analysis import curve
from otelkit.viewer.analysis.curve import Points, Rise, Times

GAP = 100


def rows(times: list[int], values: list[float], starts: list[int] | None = None) -> Points:
    """Return points of one number each."""
    column = np.array(values, dtype=np.float64)
    return Points(whole(times), whole(starts or [1] * len(times)), column, column[:, None])


def whole(numbers_: Sequence[int]) -> Times:
    """Return times."""
    return np.array(numbers_, dtype=np.int64)


def numbers(rise: Rise) -> list[float | None]:
    """Return the only number of each step."""
    return [value if known else None for (value,), known in zip(rise.values.tolist(), rise.known, strict=True)]


def rises(points: Points, edges: Sequence[int], gap: int, zero: int | None) -> list[float | None]:
    """Return what the points rose by."""
    return numbers(curve.rises(points, whole(edges), gap, zero))


def test_a_report_is_spread_over_the_interval_that_it_covers() -> None:
    """Linear between points: half of the rise lies in each half."""
    rose = rises(rows([10, 20], [0.0, 8.0]), [10, 15, 20], GAP, None)
    assert rose == [4.0, 4.0]


def test_steps_without_any_point_around_them_are_unknown() -> None:
    """Before the first and after the last point nothing is drawn, not even zero."""
    rose = rises(rows([20, 30], [0.0, 8.0]), [0, 10, 20, 30, 40, 50], GAP, None)
    assert rose == [None, None, 8.0, None, None]


def test_what_a_new_series_had_reached_counts_from_its_start() -> None:
    """Zero at the start is a point of the curve; without a known start the first value is no rise."""
    points = rows([20], [6.0], [10])
    assert rises(points, [10, 20], GAP, 10) == [6.0]
    assert rises(points, [10, 20], GAP, None) == [None]


def test_a_reset_begins_at_zero_and_is_never_negative() -> None:
    """A process that restarted: what it did before stays, what it does is added."""
    points = rows([10, 20, 30, 40], [0.0, 100.0, 3.0, 7.0], [1, 1, 25, 25])
    rose = rises(points, [10, 20, 30, 40], GAP, None)
    assert rose == [100.0, 3.0, 4.0]


def test_a_reset_without_a_new_start_is_seen_by_the_value() -> None:
    """Not every sender tells when it began."""
    points = rows([10, 20, 30], [50.0, 60.0, 4.0], [0, 0, 0])
    assert rises(points, [10, 20, 30], GAP, None) == [10.0, 4.0]


def test_a_gap_stays_a_gap_and_its_rise_is_kept() -> None:
    """Nothing is interpolated across missing data; the rise stands where it was learnt of."""
    points = rows([0, 10, 210, 220], [0.0, 1.0, 21.0, 22.0])
    rose = rises(points, [0, 10, 60, 110, 160, 210, 220], GAP, None)
    assert rose == [1.0, None, None, None, None, 21.0]


def test_a_gap_that_ends_within_a_step_empties_only_the_steps_before() -> None:
    """The step of the later point holds the rise of the gap and its own."""
    points = rows([0, 205, 210], [0.0, 20.0, 21.0])
    rose = rises(points, [0, 50, 100, 150, 200, 250], GAP, None)
    assert rose == [None, None, None, None, 21.0]


def test_deltas_are_accumulated() -> None:
    """Delta temporality gives the same as the cumulative series."""
    deltas = rows([10, 20, 30], [2.0, 3.0, 4.0], [0, 10, 20])
    rose = rises(curve.accumulated(deltas), [0, 10, 20, 30], GAP, 0)
    assert rose == [2.0, 3.0, 4.0]


def test_rows_of_several_numbers_rise_together() -> None:
    """A histogram's buckets are one point."""
    points = Points(whole([0, 10]), whole([1, 1]), np.array([0.0, 6.0]), np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]))
    assert curve.rises(points, whole([0, 10]), GAP, None).values.tolist() == [[1.0, 2.0, 3.0]]


def test_adding_keeps_what_only_one_knows() -> None:
    """Unknown and a number is the number."""
    one = rows([0, 10], [0.0, 1.0])
    other = rows([0, 20], [0.0, 4.0])
    total = curve.rises(one, whole([0, 10, 20, 30]), GAP, None)
    total.add(curve.rises(other, whole([0, 10, 20, 30]), GAP, None))
    assert numbers(total) == [3.0, 2.0, None]


counts = st.lists(st.integers(0, 50), min_size=2, max_size=30)


@given(rose_by=counts, jitter=st.data(), width=st.integers(1, 40))
def test_the_rises_add_up_to_what_was_reported(rose_by: list[int], jitter: st.DataObject, width: int) -> None:
    """Whatever the steps and the jitter of the reports: nothing is lost, nothing counted twice, nothing negative."""
    times, values, total = [1_000], [0.0], 0.0
    for rise in rose_by:
        times.append(times[-1] + jitter.draw(st.integers(1, 30)))
        total += rise
        values.append(total)
    edges = list(range(1_000, times[-1] + width + 1, width))
    rose = [each for each in rises(rows(times, values), edges, 10_000, None) if each is not None]
    assert all(each >= -1e-9 for each in rose)
    assert abs(sum(rose) - total) < 1e-6 * max(1.0, total)


@given(lives=st.lists(counts, min_size=1, max_size=4))
def test_restarts_lose_nothing_that_was_reported(lives: list[list[int]]) -> None:
    """The sum over all steps is the sum over all lives of the process."""
    times: list[int] = []
    values: list[float] = []
    starts: list[int] = []
    now = 1_000
    for life in lives:
        start, total = now, 0.0
        for rise in life:
            now += 10
            total += rise
            times.append(now)
            values.append(total)
            starts.append(start)
        now += 5
    edges = list(range(1_000, now + 20, 7))
    rose = rises(rows(times, values, starts), edges, 10_000, 1_000)
    assert abs(sum(each for each in rose if each is not None) - sum(map(sum, lives))) < 1e-6


def test_gauges_hold_for_a_while_and_not_for_ever() -> None:
    """The mean of the readings; between two readings the last; none beyond the hold or after the last."""
    edges = whole([10, 20, 30, 40, 50, 100, 150, 200, 210, 220])
    held = curve.means(whole([10, 12, 40, 200]), np.array([1.0, 3.0, 5.0, 7.0]), edges, hold=30)
    assert numbers(held) == [2.0, 3.0, 3.0, 5.0, 5.0, None, None, 7.0, None]
