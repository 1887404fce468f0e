# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is usual, and since when it is not."""

from __future__ import annotations

import random

from otelkit.viewer.analysis import usual
from otelkit.viewer.analysis.usual import Usual, Window


def slow(value: float, known: Usual) -> bool:
    """Twice the upper edge."""
    return value >= 2 * known.high


def windows(values: list[float | None], observations: float = 50) -> list[Window]:
    """One a minute."""
    return [Window(index * 60.0, value, observations) for index, value in enumerate(values)]


def steady(count: int, seed: int = 1) -> list[float | None]:
    """Around 100, never twice as much."""
    draw = random.Random(seed)
    return [draw.uniform(80, 120) for _ in range(count)]


def test_usual_is_the_5th_to_the_95th_percentile() -> None:
    """Of 101 values from 0 to 100: 5 to 95."""
    known = usual.usual(windows([float(each) for each in range(101)]))
    assert known == Usual(5.0, 95.0, 50.0, 101, 5_050)


def test_too_few_windows_say_nothing() -> None:
    """Thirty are needed, and twenty observations in each."""
    assert usual.usual(windows(steady(29))) is None
    assert usual.usual(windows(steady(40), observations=19)) is None
    assert usual.usual(windows(steady(30))) is not None


def test_a_series_that_stays_usual_has_not_departed() -> None:
    """Whatever it did within its range."""
    for seed in range(20):
        assert usual.departure(windows(steady(200, seed)), slow) is None


def test_a_departure_is_found_where_it_began() -> None:
    """With the usual range of the time before, and the value of now."""
    found = usual.departure(windows([*steady(40), *[500.0] * 10]), slow)
    assert found is not None
    assert found.since == 40 * 60
    assert found.value == 500.0
    assert found.usual.windows == 40
    assert found.usual.high < 121
    assert found.observations == 500


def test_two_windows_outside_are_not_enough() -> None:
    """Three running have to be."""
    assert usual.departure(windows([*steady(40), 500.0, 500.0]), slow) is None


def test_what_came_back_is_no_departure() -> None:
    """The last windows are within their range again."""
    assert usual.departure(windows([*steady(40), *[500.0] * 10, *steady(5)]), slow) is None


def test_a_fault_that_lasts_does_not_become_usual() -> None:
    """Twice as long as the time before it, and still found."""
    found = usual.departure(windows([*steady(40), *[500.0] * 80]), slow)
    assert found is not None
    assert found.since == 40 * 60


def test_windows_with_few_observations_are_left_out() -> None:
    """They neither make the range nor break it."""
    quiet = [Window(each.start, 900.0, 3) for each in windows(steady(10))]
    found = usual.departure([*windows(steady(40)), *quiet], slow)
    assert found is None
