# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What is usual for a series, and since when it is not.

*Usual* is the 5th to the 95th percentile of the series' values in equal windows of time, over the retained history
before the windows that are judged; with fewer than `LEAST_WINDOWS` of them nothing is said.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

LEAST_WINDOWS = 30
"""Viewer.md, section 4. Of 30 windows the edges are the second lowest and the second highest."""
LEAST_OBSERVATIONS = 20
"""In a window; one with fewer says nothing, neither as history nor as what is judged."""
JUDGED = 3
"""Windows running that have to be outside."""

SCALES = ((60.0, 6 * 3_600.0), (15.0, 2 * 3_600.0), (5.0, 3_600.0))
"""
Length of a window, and how much history is kept in such windows, in seconds, longest first.

The short ones are for a young history: a fault that began after three minutes has to be seen, and 30 windows of a
minute before it do not exist. What they say carries how many calls it is of, as everything does.
"""


class Window(NamedTuple):
    """One window: its start in seconds, the value (None: nothing observed), and how many observations it is of."""

    start: float
    value: float | None
    observations: float


class Usual(NamedTuple):
    """The range, its median, and what it was computed from."""

    low: float
    high: float
    middle: float
    windows: int
    observations: int


class Departure(NamedTuple):
    """
    A series that left its usual range and is still outside.

    Attributes:
        since: Start of the first window outside, seconds.
        value: Median of the windows judged.
        usual: Of the windows before.
        observations: In the windows since then.
    """

    since: float
    value: float
    usual: Usual
    observations: int


def usual(windows: Sequence[Window], least: int = LEAST_WINDOWS) -> Usual | None:
    """Return the usual range of windows that are observed often enough, or None."""
    told = _told(windows)
    if len(told) < least:
        return None
    return _range(sorted(value for _, value, _ in told), sum(observations for _, _, observations in told))


def _told(windows: Sequence[Window]) -> list[tuple[float, float, float]]:
    return [
        (start, value, observations)
        for start, value, observations in windows
        if value is not None and observations >= LEAST_OBSERVATIONS
    ]


def _range(ordered: Sequence[float], observations: float) -> Usual:
    low, high, middle = (percentile(ordered, share) for share in (0.05, 0.95, 0.5))
    return Usual(low, high, middle, len(ordered), int(observations))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the percentile of values in ascending order, linear between neighbours."""
    position = share * (len(ordered) - 1)
    index = int(position)
    if index + 1 >= len(ordered):
        return ordered[-1]
    return ordered[index] + (ordered[index + 1] - ordered[index]) * (position - index)


def departure(
    windows: Sequence[Window], outside: Callable[[float, Usual], bool], least: int = LEAST_WINDOWS
) -> Departure | None:
    """
    Return since when the series is outside of what was usual until then; None if it is not, or nobody can tell.

    The last `JUDGED` windows have to be outside, and four in five since the first one. The range is always that of the
    time before: a fault that lasts does not become usual for as long as the time before it is retained.

    Args:
        outside: Tells whether a value is, given the usual range.

    Cost: about 1 us a window while all is well.
    """
    told = _told(windows)
    if len(told) < least + JUDGED:
        return None
    before = sorted(value for _, value, _ in told[:least])
    observations = sum(count for _, _, count in told[:least])
    for begin in range(least, len(told) - JUDGED + 1):
        start, value, count = told[begin]
        if value > before[-1] or value < before[0]:
            known = _range(before, observations)
            if outside(value, known) and _lasts([each[1] for each in told[begin:]], outside, known):
                since = told[begin:]
                return Departure(
                    start,
                    percentile(sorted(each[1] for each in since[-JUDGED:]), 0.5),
                    known,
                    int(sum(each[2] for each in since)),
                )
        insort(before, value)
        observations += count
    return None


def _lasts(values: Sequence[float], outside: Callable[[float, Usual], bool], known: Usual) -> bool:
    beyond = [outside(value, known) for value in values]
    return all(beyond[-JUDGED:]) and sum(beyond) >= 0.8 * len(beyond)
