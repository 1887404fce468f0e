# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What every signal was, window by window, over the retained history: what "usual" is computed from.

A signal is one number of one subject: the p95 of an action, the share of its calls that fail, a model's items a second.
Windows that are over are worked out once; a fresh start reads the history in pieces, the rest comes as it passes.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from otelkit.viewer.analysis.usual import Window
from otelkit.viewer.api.reader import Reader
from otelkit.viewer.api.timing import SECOND, Span

PIECE = 60
"""Windows read at once: bounds the memory."""
MOST_SIGNALS = 4_000
ABSENT = float("nan")


class Signal(NamedTuple):
    """
    Which number of which subject.

    Attributes:
        kind: service, model.
        subject: Name of the service or model.
        part: The action; empty for all of the subject.
        measure: p95, errors, items.
    """

    kind: str
    subject: str
    part: str
    measure: str


class Reading(NamedTuple):
    """What a signal was over a run of windows: values (NaN: nothing) and how many observations each is of."""

    signal: Signal
    values: list[float]
    observations: list[float]


@dataclass(slots=True)
class Track:
    """A signal's windows from number ``first`` on."""

    first: int
    values: array[float] = field(default_factory=lambda: array("d"))
    observations: array[float] = field(default_factory=lambda: array("f"))


Source = Callable[[Reader, Span], Iterator[Reading]]


class History:
    """
    Signals in windows of one length. Thread-safe.

    Args:
        reader: One that keeps nothing: each window is read once.
        sources: What gives the signals' values over a span of windows.
        window_s: Length of a window, seconds.
        longest_s: How much is kept.
        ends: Give up once the retained history is longer than that: another one, of longer windows, does better then.

    Attributes:
        age_s: Of what is retained, at most ``longest_s``.
    """

    def __init__(
        self, reader: Reader, sources: tuple[Source, ...], window_s: float, longest_s: float, ends: bool
    ) -> None:
        self._reader = reader
        self._sources = sources
        self._longest_s = longest_s
        self._ends = ends
        self.window_s = window_s
        self._lock = threading.Lock()
        self._tracks: dict[Signal, Track] = {}
        self._begin = self._end = 0
        self.age_s = 0.0
        self.left_out = 0

    def refresh(self, now: float) -> bool:
        """Work out the windows that are over by now; return whether there were any. Cost: 5 ms for 100 signals."""
        statistics = self._reader.store.statistics()
        oldest = statistics.oldest_ns / SECOND
        if not oldest:
            return False
        # What was replayed lies in the past: its last point is then what "now" is.
        latest = min(now, max(oldest, statistics.latest_ns / SECOND))
        with self._lock:
            self.age_s = min(self._longest_s, latest - oldest)
            if self._ends and latest - oldest > self._longest_s:
                changed = bool(self._tracks)
                self._tracks.clear()
                self._begin = self._end = 0
                return changed
            begin = int((latest - self.age_s) / self.window_s) + 1
            if self._end == 0 or begin < self._begin - 1:  # nothing yet, or something older came
                self._tracks.clear()
                self._begin = self._end = begin
            return self._extend(latest, self.window_s)

    def _extend(self, latest: float, window_s: float) -> bool:
        settled = int((latest - self._settling_s()) / window_s)
        began = self._end
        while self._end < settled:
            count = min(PIECE, settled - self._end)
            start = self._end * window_s
            span = Span(start, start + count * window_s, latest, window_s, self._end, count, False)
            for source in self._sources:
                for reading in source(self._reader, span):
                    self._keep(reading, self._end)
            self._end += count
        self._forget(window_s)
        return self._end > began

    def _settling_s(self) -> float:
        """Return how long after its end a window is complete: when the slowest live sender has reported."""
        now = self._reader.clock()
        live = [
            each.interval_s
            for each in self._reader.store.senders()
            if now - each.latest_ns / SECOND < 3 * each.interval_s
        ]
        return min(75.0, max(1.0, 1.2 * max(live, default=0.0)))

    def _keep(self, reading: Reading, first: int) -> None:
        track = self._tracks.get(reading.signal)
        if track is None:
            if len(self._tracks) >= MOST_SIGNALS:
                self.left_out += 1
                return
            track = self._tracks[reading.signal] = Track(first)
        missing = first - track.first - len(track.values)
        track.values.extend([ABSENT] * missing)
        track.observations.extend([0.0] * missing)
        track.values.extend(reading.values)
        track.observations.extend(reading.observations)

    def _forget(self, window_s: float) -> None:
        oldest = self._end - int(self._longest_s / window_s)
        # Cut now and then, not each time: it moves the whole array.
        for signal, track in list(self._tracks.items()):
            surplus = oldest - track.first
            if surplus > 60:
                del track.values[:surplus], track.observations[:surplus]
                track.first += surplus
            if not track.values:
                del self._tracks[signal]
        self._begin = max(self._begin, oldest)

    def signals(self) -> list[Signal]:
        """Return all signals."""
        with self._lock:
            return list(self._tracks)

    @property
    def version(self) -> int:
        """Grows with each window that is worked out."""
        return self._end

    def windows(self, signal: Signal, until: float | None = None) -> list[Window]:
        """Return a signal's windows, those that end by ``until`` (Unix seconds)."""
        with self._lock:
            track, length = self._tracks.get(signal), self.window_s
            if track is None:
                return []
            count = len(track.values)
            if until is not None:
                count = max(0, min(count, int(until / length + 1e-6) - track.first))
            return [
                Window((track.first + index) * length, None if value != value else value, observations)
                for index, (value, observations) in enumerate(
                    zip(track.values[:count], track.observations[:count], strict=True)
                )
            ]
