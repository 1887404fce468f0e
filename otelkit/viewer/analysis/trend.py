# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a line leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Trend(NamedTuple):
    """A line: its value at ``time``, and what it changes by in a second."""

    time: float
    value: float
    slope: float

    def at(self, time: float) -> float:
        """Return the value at ``time``."""
        return self.value + self.slope * (time - self.time)

    def reaches(self, value: float) -> float | None:
        """Return when it has ``value``, or None if it never will from ``time`` on."""
        if self.slope == 0:
            return None
        when = self.time + (value - self.value) / self.slope
        return when if when >= self.time else None


def fit(times: Sequence[float], values: Sequence[float]) -> Trend | None:
    """Return the line of least squares through the points, at the last of them; None with fewer than three."""
    count = len(times)
    if count < 3 or times[-1] <= times[0]:
        return None
    middle, mean = sum(times) / count, sum(values) / count
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (value - mean) for time, value in zip(times, values, strict=True)) / spread
    return Trend(times[-1], mean + slope * (times[-1] - middle), slope)
