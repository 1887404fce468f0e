# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The time that a request asks for, and the steps that it is drawn in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime

from otelkit.viewer.api.problems import Invalid
from otelkit.viewer.api.shapes.axis import Axis

SECOND = 1_000_000_000
"""Nanoseconds: the store's unit."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_RELATIVE = re.compile(r"-(\d+(?:\.\d+)?)(ms|s|m|h|d)")

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_SHORT = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)
_LONG = (*(_MINUTE * each for each in (1, 2, 5, 10, 15, 30)), *(_HOUR * each for each in (1, 2, 3, 6, 12)))
STEPS = (*_SHORT, *_LONG)
"""Steps that fall on round times, in seconds; above them whole days."""

MOST_COLUMNS = 3_000
LATEST = 9e9
"""Unix seconds, in the year 2255: nanoseconds end in 2262."""


def parse_time(text: str, now: float, name: str) -> float:
    """Return Unix seconds; see `parameters.Time`."""
    if text == "now":
        return now
    if match := _RELATIVE.fullmatch(text):
        return max(0.0, now - float(match[1]) * _UNITS[match[2]])
    try:
        time = float(text) if "T" not in text else datetime.fromisoformat(text).timestamp()
        if not 0 <= time <= LATEST:
            raise ValueError(text)
        return time
    except (ValueError, OverflowError):
        raise Invalid(
            f"Expected a time, got {text!r} - at {name}.", 'Write "now", "-15m", Unix seconds, or ISO 8601 with a zone.'
        ) from None


@dataclass(frozen=True, slots=True)
class Span:
    """
    A range of time on steps.

    Attributes:
        start, end: As asked for, Unix seconds.
        now: The server's clock.
        step: Seconds.
        first: Number of the first step, counted from the epoch.
        count: How many.
        live: It ends now.
    """

    start: float
    end: float
    now: float
    step: float
    first: int
    count: int
    live: bool

    @property
    def step_ns(self) -> int:
        """Nanoseconds of a step."""
        return round(self.step * SECOND)

    @property
    def edges(self) -> list[int]:
        """All edges of steps, in nanoseconds."""
        width = self.step_ns
        return [index * width for index in range(self.first, self.first + self.count + 1)]

    @property
    def from_ns(self) -> int:
        """Left edge of the first step."""
        return self.first * self.step_ns

    @property
    def to_ns(self) -> int:
        """Right edge of the range."""
        return int(self.end * SECOND)

    @property
    def axis(self) -> Axis:
        """The same, as it is sent."""
        return Axis(start=self.first * self.step_ns / SECOND, step=self.step, count=self.count)

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


def resolve(from_: str, to: str, now: float, columns: int | None, step: float | None, default_columns: int) -> Span:
    """Return the range and its steps, which lie on round times so that a live one moves by whole steps."""
    end = parse_time(to, now, "to")
    # "-15m" is back from the end where the end is "now", and from now in any other case, as in Grafana.
    start = parse_time(from_, now, "from")
    if start >= end:
        raise Invalid(f"Expected `from` before `to`, got {from_!r} and {to!r}.", "Swap them, or widen the range.")
    if step is None:
        step = round_step((end - start) / (columns or default_columns))
    elif (end - start) / step > MOST_COLUMNS:
        raise Invalid(
            f"Expected at most {MOST_COLUMNS} steps, got {(end - start) / step:.0f} - at step.", "Take a longer step."
        )
    return on_steps(start, end, now, step, live=to == "now")


def on_steps(start: float, end: float, now: float, step: float, live: bool = False) -> Span:
    """Lay a range on steps."""
    first = math.floor(round(start / step, 6))
    count = max(1, math.ceil(round(end / step - first, 6)))
    return Span(start, end, now, step, first, count, live)


def round_step(least: float) -> float:
    """Return the shortest round step that is not below ``least`` seconds."""
    for step in STEPS:
        if step >= least * 0.999:
            return step
    return math.ceil(least / _DAY) * _DAY
