# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is usual for a signal, and whether it left it: one definition for every page."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from otelkit.viewer.analysis import usual as analysis
from otelkit.viewer.analysis.usual import Departure, Window
from otelkit.viewer.api import marks, signals
from otelkit.viewer.api.history import History, Signal
from otelkit.viewer.api.shapes.line import Usual
from otelkit.viewer.api.timing import Span

SLOW = 2.0
"""p95, or p50, at least so many times the upper edge of usual."""
FAILING = 5.0
"""Error share at least so many times the upper edge."""
LEAST_ERRORS = 5
FEWER = 0.9
"""Items a second below so many times the lower edge."""


def _slow(value: float, known: analysis.Usual) -> bool:
    return value >= SLOW * known.high and value > 0


def _failing(value: float, known: analysis.Usual) -> bool:
    return value > 0 and value >= FAILING * known.high


def _fewer(value: float, known: analysis.Usual) -> bool:
    return value < FEWER * known.low


_OUTSIDE = {signals.P95: _slow, signals.P50: _slow, signals.ERRORS: _failing, signals.ITEMS: _fewer}


class Judge:
    """
    Departures and usual ranges, kept until a window is added. Thread-safe.

    Args:
        histories: Of different windows, longest first: the first that can tell is believed.
    """

    def __init__(self, histories: Sequence[History]) -> None:
        self.histories = tuple(histories)
        self._lock = threading.Lock()
        self._version: object = None
        self._departures: dict[tuple[Signal, int], tuple[Departure, float] | None] = {}
        self._usual: dict[tuple[Signal, int, int], Usual | None] = {}

    def signals(self) -> list[Signal]:
        """Return all signals of all histories."""
        return list({signal: None for history in self.histories for signal in history.signals()})

    @property
    def age_s(self) -> float:
        """Age of the retained history, seconds."""
        return max((history.age_s for history in self.histories), default=0.0)

    def departure(self, signal: Signal, end: float) -> Departure | None:
        """Return since when the signal is outside of its usual range, as of ``end``; None if it is not."""
        found = self._departure(signal, end)
        return found[0] if found is not None else None

    def _departure(self, signal: Signal, end: float) -> tuple[Departure, float] | None:
        key = (signal, self._window(end))
        with self._lock:
            self._renew()
            if key in self._departures:
                return self._departures[key]
        found: tuple[Departure, float] | None = None
        for history in self.histories:
            left = _left(signal, history.windows(signal, end))
            if left is not None:
                found = (left, history.window_s)
                break
        with self._lock:
            self._departures[key] = found
        return found

    def usual(self, signal: Signal, span: Span) -> Usual | None:
        """
        Return what is usual: of the time before a departure, else before the range, else of all but what is judged.

        None: too few windows with enough observations.
        """
        departed = self._departure(signal, span.end)
        if departed is not None:
            return marks.usual(departed[0].usual, departed[1])
        key = (signal, self._window(span.start), self._window(span.end))
        with self._lock:
            if key in self._usual:
                return self._usual[key]
        found: Usual | None = None
        for history in self.histories:
            windows = history.windows(signal, span.end)
            before = [each for each in windows if each.start < span.start]
            told = analysis.usual(before) or analysis.usual(windows[: -analysis.JUDGED])
            if told is not None:
                found = marks.usual(told, history.window_s)
                break
        with self._lock:
            self._usual[key] = found
        return found

    def unusual_since(self, time: float) -> float | None:
        """Return since when any service is outside of usual that was so at ``time``; None if none was."""
        end = max((history.version * history.window_s for history in self.histories), default=0.0)
        departures = (self.departure(each, end) for each in self.signals() if each.kind == "service")
        return min((each.since for each in departures if each is not None and each.since <= time), default=None)

    def judged(self, signal: Signal, span: Span) -> bool:
        """Tell whether there is enough to say anything about the signal."""
        return self.usual(signal, span) is not None

    def _window(self, time: float) -> int:
        return int(time / self.histories[-1].window_s)

    def _renew(self) -> None:
        version = tuple(history.version for history in self.histories)
        if version != self._version:
            self._version = version
            self._departures.clear()
            self._usual.clear()


def _left(signal: Signal, windows: Sequence[Window]) -> Departure | None:
    found = analysis.departure(windows, _OUTSIDE[signal.measure])
    if found is not None and signal.measure == signals.ERRORS:
        failed = sum((each.value or 0.0) * each.observations for each in windows if each.start >= found.since)
        return found if failed >= LEAST_ERRORS else None
    return found
