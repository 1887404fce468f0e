# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's statistics, on a registry of their own and a clock that the tests turn."""

from __future__ import annotations

import math

import pytest

from otelkit._core._snapshot import (
    Attributes,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Kind,
    Metric,
    MetricSnapshot,
    NumberPoint,
)
from otelkit.cli._demo_statistics import ACTION, CALL, JOB, TIME, RowKey, Statistics, View
from otelkit.instruments.counter import counter
from otelkit.instruments.histogram import summary, timer
from otelkit.instruments.registry import Registry

BOUNDS = (0.1, 1.0)


class Clock:
    """Monotonic seconds that stand still until somebody moves them."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Recorded(Registry):
    """A registry that answers with prepared snapshots: those of decorators, whatever their state."""

    def __init__(self, *snapshots: list[MetricSnapshot]) -> None:
        super().__init__()
        self._answers = list(snapshots)

    def snapshot(self, reader: int | None = None) -> list[MetricSnapshot]:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def counted(name: str, value: float, kind: Kind = Kind.COUNTER, **labels: str) -> MetricSnapshot:
    return MetricSnapshot(Metric(name, kind), [NumberPoint(Attributes(labels), 0, 1, value)])


def durations(name: str, buckets: list[int], *exemplars: Exemplar, **labels: str) -> MetricSnapshot:
    point = HistogramPoint(Attributes(labels), 0, 1, sum(buckets), 1.0, 0.0, 5.0, BOUNDS, buckets, exemplars)
    return MetricSnapshot(Metric(name, Kind.HISTOGRAM, "s"), [point])


def row(view: View, kind: str, name: str):
    return next(row for row in view.rows if row.key == RowKey(kind, name))


def test_a_rate_is_the_difference_of_two_snapshots_in_the_window():
    """What was counted before the window began is in the total and not in the rate."""
    clock, registry = Clock(), Registry()
    statistics = Statistics(registry, window_s=10, clock=clock)
    pages = counter("pages", registry=registry)
    pages.increment(100)
    for _ in range(3):
        clock.now_s += 10
        pages.increment(20)
        view = statistics.view()
    (number,) = view.numbers
    assert number.value == 160
    assert number.rate_per_s == pytest.approx(2.0)
    assert view.window_s == 10


def test_quantiles_see_the_window_and_the_summary_sees_all():
    """Slow calls that are over leave the live quantiles, and stay in the summary."""
    clock, registry = Clock(), Registry()
    statistics = Statistics(registry, window_s=10, clock=clock)
    fetch = timer("fetch", registry=registry)
    for _ in range(50):
        fetch.observe(4.0)
    clock.now_s += 10
    statistics.view()
    for _ in range(50):
        fetch.observe(0.004)
    clock.now_s += 10
    live, whole = row(statistics.view(), TIME, "fetch"), row(statistics.summary(), TIME, "fetch")
    assert max(live.quantiles_s) <= 0.005
    assert whole.total == 100
    assert whole.quantiles_s[1] > 2.5


def test_a_quantile_never_leaves_what_was_seen():
    """The largest value bounds the estimate, though its bucket goes on to infinity."""
    registry = Registry()
    statistics = Statistics(registry, clock=Clock())
    timer("long", registry=registry).observe(60.0)
    assert statistics.view().rows[0].quantiles_s == (60.0, 60.0, 60.0)


def test_an_idle_row_has_no_quantiles():
    """No value in the window is NaN, not zero."""
    clock, registry = Clock(), Registry()
    statistics = Statistics(registry, window_s=5, clock=clock)
    timer("once", registry=registry).observe(1.0)
    for _ in range(3):
        clock.now_s += 5
        view = statistics.view()
    assert all(math.isnan(value) for value in row(view, TIME, "once").quantiles_s)


def test_series_of_an_action_are_one_row_whatever_their_error_type():
    """Requests, active requests, errors and durations come together under Service.action, prefix or not."""
    labels = {"service": "Shop", "action": "buy"}
    snapshot = [
        counted("api.service.requests", 10, **labels),
        counted("api.service.active_requests", 2, Kind.UP_DOWN_COUNTER, **labels),
        counted("api.service.errors", 1, **labels, **{"error.type": "KeyError"}),
        MetricSnapshot(
            Metric("api.service.response_time", Kind.HISTOGRAM, "s"),
            [
                *durations("", [7, 0, 0], **labels).points,
                *durations("", [0, 1, 0], **labels, **{"error.type": "KeyError"}).points,
            ],
        ),
    ]
    clock = Clock()
    statistics = Statistics(Recorded(snapshot), clock=clock)
    clock.now_s += 5
    view = statistics.view()
    (only,) = view.rows
    assert (only.key, only.total, only.active, only.errors) == (RowKey(ACTION, "Shop.buy"), 10, 2, 1)
    assert only.rate_per_s == pytest.approx(2.0)
    assert only.quantiles_s[0] < 0.1 < only.quantiles_s[2]
    assert view.numbers == []


def test_jobs_and_named_calls_have_rows_of_their_own():
    """job.* is a job; any x.duration beside x.calls is a call, with its labels in the name."""
    snapshot = [
        counted("job.runs", 3, **{"job.name": "tidy"}),
        durations("job.duration", [3, 0, 0], **{"job.name": "tidy"}),
        counted("score.calls", 4, model="m"),
        durations("score.duration", [0, 4, 0], model="m"),
    ]
    view = Statistics(Recorded(snapshot), clock=Clock()).view()
    assert [row.key for row in view.rows] == [RowKey(CALL, "score model=m"), RowKey(JOB, "tidy")]


def test_the_slowest_are_one_per_trace():
    """Of a client's call and the action within it, which share a trace, the longer is shown."""
    now_ns = 10**30
    inner, outer = Exemplar.of(0.5, 7, 1, now_ns), Exemplar.of(0.6, 7, 2, now_ns)
    other = Exemplar.of(0.2, 8, 3, now_ns)
    snapshot = [durations("a", [0, 1, 0], inner, other), durations("b", [0, 1, 0], outer)]
    statistics = Statistics(Recorded(snapshot), clock=Clock())
    statistics.view()
    assert [(slow.seconds, slow.trace_id) for slow in statistics.view().slowest] == [(0.6, 7), (0.2, 8)]


def test_old_exemplars_leave_the_screen_and_stay_in_the_summary():
    """A minute after it was taken a slow call makes room on the screen."""
    snapshot = [durations("a", [0, 1, 0], Exemplar.of(0.5, 7, 1, 1))]
    statistics = Statistics(Recorded(snapshot), clock=Clock())
    assert statistics.view().slowest == []
    assert [slow.trace_id for slow in statistics.summary().slowest] == [7]


def test_exponential_histograms_have_quantiles_too():
    """Configured to exponential histograms, the demo shows the same."""
    point = ExponentialPoint(Attributes(), 0, 1, 8, 16.0, 2.0, 2.0, 3, 0, 7, [8], 0, [])
    snapshot = [MetricSnapshot(Metric("e", Kind.EXPONENTIAL_HISTOGRAM, "s"), [point])]
    view = Statistics(Recorded(snapshot), clock=Clock()).view()
    assert view.rows[0].quantiles_s == (2.0, 2.0, 2.0)


def test_a_summary_shows_its_quantiles_and_own_health_is_left_out():
    """Quantiles of a summary are numbers; otelkit.* metrics are not the program's."""
    registry = Registry()
    score = summary("score", registry=registry)
    for value in range(101):
        score.observe(value / 100)
    statistics = Statistics(Recorded([*registry.snapshot(), counted("otelkit.dropped", 1)]), clock=Clock())
    numbers = {(number.metric.name, *number.labels): number.value for number in statistics.view().numbers}
    assert numbers["score", "quantile=p50"] == pytest.approx(0.5, abs=0.02)
    assert not any(name.startswith("otelkit.") for name, *_ in numbers)
