# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What the demo shows, worked out from the very snapshots that are exported.

No counter of the demo's own: a row's rate is the difference of two snapshots,
its quantiles come from the buckets in between. What the screen shows is what
`/metrics` says.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from otelkit import semconv
from otelkit._core._snapshot import (
    ExponentialPoint,
    HistogramPoint,
    Kind,
    Metric,
    MetricSnapshot,
    NumberPoint,
    Point,
    SummaryPoint,
)
from otelkit.exporters._quantiles import Bucket, explicit_buckets, exponential_buckets, quantile
from otelkit.instruments.registry import Registry

ACTION, CALL, PUBLISH, EVENT, JOB, TIME = "action", "call", "publish", "event", "job", "time"
KINDS = (ACTION, CALL, PUBLISH, EVENT, JOB, TIME)

RECENT_S = 60.0
KEPT_SLOWEST = 50
SLOWEST_PER_ROW = 2


class RowKey(NamedTuple):
    """One line of the table: what it is, and its name for people."""

    kind: str
    name: str


class Row(NamedTuple):
    """
    One action, event, job, call or timer.

    Attributes:
        total: Since the start of the process.
        rate_per_s: In the window.
        active: Now; None for a timer, which cannot know.
        errors: In the window; None for a timer.
        quantiles_s: p50, p95, p99 in the window; NaN without a value there.
    """

    key: RowKey
    total: int
    rate_per_s: float
    active: int | None
    errors: int | None
    quantiles_s: tuple[float, float, float]


class Slow(NamedTuple):
    """A slow call and the trace that shows why."""

    seconds: float
    key: RowKey
    trace_id: int
    time_ns: int


class Number(NamedTuple):
    """One series of a counter, gauge or summary that belongs to no row."""

    metric: Metric
    labels: tuple[str, ...]
    value: float
    rate_per_s: float | None


class View(NamedTuple):
    """All that one screen shows."""

    window_s: float
    rows: list[Row]
    slowest: list[Slow]
    numbers: list[Number]


@dataclass
class _Totals:
    """A row's cumulative values at one moment; series that differ in error.type only are one row."""

    calls: float = 0
    ended: float = 0
    active: float = 0
    errors: float = 0
    is_call: bool = False
    buckets: dict[tuple[float, float], int] = field(default_factory=dict)
    smallest: float = math.inf
    largest: float = -math.inf


class _Frame(NamedTuple):
    at_s: float
    rows: dict[RowKey, _Totals]
    numbers: dict[tuple[Metric, tuple[str, ...]], float]


class Statistics:
    """
    Reads the store on each `view` and remembers a window of what it read.

    Not thread-safe: one display reads it.

    Args:
        registry: What is read.
        window_s: How far back rates and quantiles look.
        clock: Monotonic seconds.
    """

    def __init__(self, registry: Registry, window_s: float = 15.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._reader = registry.add_reader()
        self._window_s = window_s
        self._clock = clock
        self._frames: deque[_Frame] = deque([_Frame(clock(), {}, {})])
        self._began = self._frames[0]
        self._extremes: dict[RowKey, tuple[float, float]] = {}
        self._slowest: dict[int, Slow] = {}

    def view(self) -> View:
        """Read the store and say what happened in the window."""
        frame = self._read()
        self._frames.append(frame)
        while len(self._frames) > 2 and frame.at_s - self._frames[1].at_s >= self._window_s:
            self._frames.popleft()
        inside = list(self._frames)[1:]
        recent = [slow for slow in self._slowest.values() if time.time_ns() - slow.time_ns < RECENT_S * 1e9]
        return _view(self._frames[0], frame, _extremes(inside), recent)

    def summary(self) -> View:
        """Read the store and say what happened since the start."""
        frame = self._read()
        return _view(self._began, frame, self._extremes, self._slowest.values())

    def close(self) -> None:
        """Stop being a reader of the store."""
        self._registry.remove_reader(self._reader)

    def _read(self) -> _Frame:
        snapshots = self._registry.snapshot(self._reader)
        frame = _Frame(self._clock(), *_split(snapshots, self._note_slow))
        self._extremes = _extremes([frame], self._extremes)
        if len(self._slowest) > 2 * KEPT_SLOWEST:
            self._forget()
        return frame

    def _note_slow(self, slow: Slow) -> None:
        # A client's call, the server's action within it and what that calls are one trace: its slowest is enough.
        known = self._slowest.get(slow.trace_id)
        if known is None or known.seconds < slow.seconds:
            self._slowest[slow.trace_id] = slow

    def _forget(self) -> None:
        ranked = sorted(self._slowest.values(), reverse=True)
        oldest_ns = time.time_ns() - RECENT_S * 1e9
        kept = [slow for rank, slow in enumerate(ranked) if rank < KEPT_SLOWEST or slow.time_ns > oldest_ns]
        self._slowest = {slow.trace_id: slow for slow in kept}


def _split(
    snapshots: Iterable[MetricSnapshot], note_slow: Callable[[Slow], None]
) -> tuple[dict[RowKey, _Totals], dict[tuple[Metric, tuple[str, ...]], float]]:
    """Sort the store's metrics into rows and loose numbers."""
    by_name = {snapshot.metric.name: snapshot for snapshot in snapshots}
    rows: dict[RowKey, _Totals] = {}
    used: set[str] = set()
    for snapshot in by_name.values():
        metric = snapshot.metric
        if metric.unit != "s" or metric.kind not in (Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM) or _own(metric):
            continue
        kind, siblings = _family(metric.name, by_name)
        used.update(siblings)
        _add_durations(rows, kind, snapshot, note_slow)
        for sibling, attribute in zip(siblings, ("calls", "active", "errors"), strict=False):
            if sibling in by_name:
                _add_counts(rows, kind, by_name[sibling], attribute, metric.name)
    numbers = {
        (snapshot.metric, labels): value
        for snapshot in by_name.values()
        if snapshot.metric.name not in used and not _own(snapshot.metric)
        for point in snapshot.points
        for labels, value in _values(point)
    }
    return rows, numbers


_FAMILIES = (
    (ACTION, semconv.SERVICE_RESPONSE_TIME, semconv.SERVICE_REQUESTS, semconv.SERVICE_ACTIVE_REQUESTS,
     semconv.SERVICE_ERRORS),
    (EVENT, semconv.EVENT_PROCESSING_TIME, semconv.EVENT_RECEIVED, semconv.EVENT_ACTIVE, semconv.EVENT_FAILURES),
    (PUBLISH, semconv.EVENT_PUBLISH_TIME, semconv.EVENT_PUBLISHED, semconv.EVENT_PUBLISHING,
     semconv.EVENT_PUBLISH_FAILURES),
    (JOB, semconv.JOB_DURATION, semconv.JOB_RUNS, semconv.JOB_ACTIVE, semconv.JOB_FAILURES,
     semconv.JOB_LAST_SUCCESS),
)  # fmt: skip


def _family(duration: str, by_name: dict[str, MetricSnapshot]) -> tuple[str, tuple[str, ...]]:
    """Return the kind of a duration's row and the names of the metrics that count for it."""
    for kind, time_metric, *counts in _FAMILIES:
        prefix = duration.removesuffix(time_metric.name)
        if prefix != duration and (not prefix or prefix.endswith(".")):
            return kind, tuple(prefix + count.name for count in counts)
    calls, active, errors, time_metric = semconv.call_metrics("")
    stem = duration.removesuffix(time_metric.name)
    if stem != duration and stem + calls.name in by_name:
        return CALL, tuple(stem + metric.name for metric in (calls, active, errors))
    return TIME, ()


def _add_durations(
    rows: dict[RowKey, _Totals], kind: str, snapshot: MetricSnapshot, note_slow: Callable[[Slow], None]
) -> None:
    for point in snapshot.points:
        if not isinstance(point, HistogramPoint | ExponentialPoint):
            continue
        key = RowKey(kind, _row_name(kind, snapshot.metric.name, point.attributes))
        totals = rows.setdefault(key, _Totals())
        totals.ended += point.count
        totals.smallest = min(totals.smallest, point.min)
        totals.largest = max(totals.largest, point.max)
        for low, high, count in _buckets(point):
            totals.buckets[low, high] = totals.buckets.get((low, high), 0) + count
        for exemplar in point.exemplars:
            note_slow(Slow(float(exemplar), key, exemplar.trace_id, exemplar.time_ns))


def _add_counts(
    rows: dict[RowKey, _Totals], kind: str, snapshot: MetricSnapshot, attribute: str, duration: str
) -> None:
    for point in snapshot.points:
        if isinstance(point, NumberPoint):
            totals = rows.setdefault(RowKey(kind, _row_name(kind, duration, point.attributes)), _Totals())
            totals.is_call = True
            setattr(totals, attribute, getattr(totals, attribute) + point.value)


def _row_name(kind: str, duration: str, attributes: dict[str, str]) -> str:
    if kind == ACTION:
        return f"{attributes.get(semconv.SERVICE, '?')}.{attributes.get(semconv.ACTION, '?')}"
    if kind in (EVENT, PUBLISH, JOB):
        return attributes.get(semconv.JOB if kind == JOB else semconv.EVENT, "?")
    name = duration.removesuffix(".duration") if kind == CALL else duration
    return " ".join((attributes.get(semconv.CODE_FUNCTION_NAME, name), *_labels(attributes)))


def _labels(attributes: dict[str, str]) -> tuple[str, ...]:
    hidden = (semconv.ERROR_TYPE, semconv.CODE_FUNCTION_NAME)
    return tuple(f"{key}={value}" for key, value in attributes.items() if key not in hidden)


def _values(point: Point) -> list[tuple[tuple[str, ...], float]]:
    """Return the loose numbers of a point: a counter's or gauge's one, a summary's quantiles."""
    labels = _labels(point.attributes)
    if isinstance(point, NumberPoint):
        return [(labels, point.value)]
    if isinstance(point, SummaryPoint):
        return [((*labels, f"{semconv.QUANTILE}=p{100 * q:g}"), value) for q, value in point.quantiles]
    return []


def _own(metric: Metric) -> bool:
    return metric.name.startswith("otelkit.")


def _buckets(point: HistogramPoint | ExponentialPoint) -> list[Bucket]:
    if isinstance(point, HistogramPoint):
        return explicit_buckets(point.bounds, point.buckets)
    return exponential_buckets(
        point.scale, point.zero_count, point.positive_offset, point.positive, point.negative_offset, point.negative
    )


def _extremes(
    frames: Sequence[_Frame], known: dict[RowKey, tuple[float, float]] | None = None
) -> dict[RowKey, tuple[float, float]]:
    """Return the smallest and largest value of each row: a frame's are those since the frame before."""
    extremes = dict(known or {})
    for frame in frames:
        for key, totals in frame.rows.items():
            low, high = extremes.get(key, (math.inf, -math.inf))
            extremes[key] = (min(low, totals.smallest), max(high, totals.largest))
    return extremes


def _view(before: _Frame, now: _Frame, extremes: dict[RowKey, tuple[float, float]], slowest: Iterable[Slow]) -> View:
    window_s = max(now.at_s - before.at_s, 1e-9)
    rows = [
        _row(key, totals, before.rows.get(key, _Totals()), window_s, extremes.get(key, (math.inf, -math.inf)))
        for key, totals in now.rows.items()
    ]
    rows.sort(key=lambda row: (KINDS.index(row.key.kind), row.key.name))
    numbers = [
        Number(metric, labels, value, _rate(metric, value, before.numbers.get((metric, labels), 0.0), window_s))
        for (metric, labels), value in now.numbers.items()
    ]
    return View(window_s, rows, _varied(sorted(slowest, reverse=True)), numbers)


def _varied(ranked: list[Slow]) -> list[Slow]:
    """Leave out all but the first few of each row: otherwise the slowest kind of call is all that is ever seen."""
    seen: Counter[RowKey] = Counter()
    varied: list[Slow] = []
    for slow in ranked:
        seen[slow.key] += 1
        if seen[slow.key] <= SLOWEST_PER_ROW:
            varied.append(slow)
    return varied


def _rate(metric: Metric, value: float, before: float, window_s: float) -> float | None:
    return (value - before) / window_s if metric.kind is Kind.COUNTER else None


def _row(key: RowKey, now: _Totals, before: _Totals, window_s: float, extremes: tuple[float, float]) -> Row:
    seen = [
        Bucket(*edges, count - before.buckets.get(edges, 0))
        for edges, count in sorted(now.buckets.items())
        # An exponential histogram that changed its scale has other buckets than before; then the window is the run.
        if count > before.buckets.get(edges, 0)
    ]
    low, high = extremes if extremes[0] <= extremes[1] else (-math.inf, math.inf)
    total, earlier = (now.calls, before.calls) if now.is_call else (now.ended, before.ended)
    return Row(
        key,
        int(total),
        (total - earlier) / window_s,
        int(now.active) if now.is_call else None,
        int(now.errors - before.errors) if now.is_call else None,
        (quantile(0.5, seen, low, high), quantile(0.95, seen, low, high), quantile(0.99, seen, low, high)),
    )
