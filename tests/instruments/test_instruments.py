# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of instrument: what it records, what it refuses, what it drops."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import time
from typing import Any

import pytest
from support.metrics import fresh, point, points, series, total

import otelkit
from otelkit._core import _summary_cell
from otelkit._core._guard import guard
from otelkit.exceptions import DeclarationError
from otelkit.instruments import rate as rate_module
from otelkit.instruments.registry import Registry, default_registry


def _dropped(name: str) -> float:
    return total("otelkit.dropped", {"otelkit.metric": name})


class Clock:
    """A monotonic clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return time.time_ns()


def test_a_counter_bound_unbound_and_by_name_is_one_series() -> None:
    """Three ways to the same cell."""
    name = fresh("counter")
    counter = otelkit.counter(name, labels=["source"], description="Signups.", unit="{user}")
    counter.labels(source="web").increment()
    counter.increment(2, source="web")
    otelkit.increment(name, 3, source="web")
    counter.increment(source=1)
    assert series(name) == {(("source", "web"),): 6, (("source", "1"),): 1}
    assert otelkit.counter(name, labels=["source"], unit="{user}") is counter
    assert repr(counter) == f"<otelkit counter {name!r}, labels=['source']>"


def test_gauges_and_up_down_counters_move() -> None:
    """Set, incremented, decremented; one that was never set has no series."""
    gauge, moved = fresh("gauge"), fresh("moved")
    ratio, queue = otelkit.gauge(gauge), otelkit.up_down_counter(moved)
    assert points(gauge) == []
    ratio.decrement(2)
    assert point(gauge).value == -2
    ratio.set(0.5)
    ratio.increment(0.25)
    assert point(gauge).value == 0.75
    queue.increment(5)
    queue.decrement()
    otelkit.increment(moved, 2)
    assert point(moved).value == 6
    for _ in range(300):
        ratio.set(1)
        queue.increment()
    assert (point(gauge).value, point(moved).value) == (1, 306)
    otelkit.set(gauge, 9)
    assert point(gauge).value == 9


def test_histograms_and_timers_observe() -> None:
    """A timer is a histogram of seconds."""
    name = fresh("timer")
    timer = otelkit.timer(name, labels=["priority"], buckets=[1, 2])
    timer.observe(1.5, priority="high")
    timer.labels(priority="high").observe(0.5)
    otelkit.observe(name, 3, priority="high")
    found = point(name)
    assert (found.count, found.sum, found.bounds, list(found.buckets)) == (3, 5.0, (1.0, 2.0), [1, 1, 1])
    assert timer.metric.unit == "s"  # type: ignore[union-attr]


def test_timers_as_context_manager_decorator_and_pair() -> None:
    """Also when the block raises, and on coroutines; a stop without a start records nothing."""
    name = fresh("timer")
    with otelkit.timer(name, priority="high") as timing:
        time.sleep(0.01)
    with pytest.raises(ValueError), otelkit.timer(name, priority="high"):
        raise ValueError
    started = otelkit.timer(name, priority="high").start()
    assert started.stop() > 0
    assert started.stop() == 0.0
    assert timing.stop() == 0.0

    @otelkit.timer(name, priority="high")
    def call(value: int) -> int:
        """Documented."""
        return value

    @otelkit.timer(name, priority="high")
    async def later(value: int) -> int:
        await asyncio.sleep(0.01)
        return value

    assert (call(1), call.__doc__) == (1, "Documented.")
    assert inspect.iscoroutinefunction(later)

    async def main() -> list[int]:
        return await asyncio.gather(later(1), later(2))

    assert asyncio.run(main()) == [1, 2]
    found = point(name, {"priority": "high"})
    assert found.count == 6
    assert found.max >= 0.01


def test_a_summary_s_quantiles_slide_and_its_count_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old values leave the window; count and sum are since the start."""
    clock = Clock()
    monkeypatch.setattr(_summary_cell, "time", clock)
    name = fresh("summary")
    summary = otelkit.summary(name, quantiles=[0, 0.5, 0.9, 1], window_s=50)
    for value in range(1, 101):
        summary.observe(value)
    assert point(name).quantiles == ((0, 1.0), (0.5, 50.5), (0.9, pytest.approx(90.1)), (1, 100.0))
    clock.now += 30
    for _ in range(100):
        summary.observe(1_000)
    assert dict(point(name).quantiles)[1] == 1_000
    assert dict(point(name).quantiles)[0] == 1
    clock.now += 25
    assert dict(point(name).quantiles)[0] == 1_000
    clock.now += 60
    found = point(name)
    assert (found.count, found.sum, found.quantiles) == (200, 105_050, ())


def test_a_summary_of_many_values_stays_small_and_about_right() -> None:
    """A slice of the window keeps a uniform sample of a thousand."""
    name = fresh("summary")
    summary = otelkit.summary(name, quantiles=[0.5])
    for value in range(20_000):
        summary.observe(value)
    found = point(name)
    assert found.count == 20_000
    assert 8_000 < dict(found.quantiles)[0.5] < 12_000
    (family,) = [family for family in default_registry.families() if family.name == name]
    (cell,) = family
    assert sum(len(part.values) for part in cell.slices) <= 5_000


def test_a_rate_is_what_the_counter_rose_by_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the window, per series."""
    name = fresh("rate")
    counter = otelkit.counter(name, labels=["kind"], unit="{order}")
    clock = Clock()
    monkeypatch.setattr(rate_module, "time", clock)
    rate = otelkit.rate(f"{name}.rate", counter, window_s=10)
    assert otelkit.rate(f"{name}.rate", counter, window_s=10) is rate
    assert rate.metric.unit == "{order}/s"
    counter.increment(0, kind=True)
    rate.value(kind=True)
    for _ in range(20):
        clock.now += 1
        counter.increment(3, kind=True)
        rate.value(kind=True)
    assert rate.value(kind=True) == pytest.approx(3)
    for _ in range(20):
        clock.now += 1
        rate.value(kind=True)
    assert rate.value(kind=True) == 0
    assert rate.value(kind="other") == 0
    assert series(f"{name}.rate") == {(("kind", "true"),): 0.0}


def test_callback_gauges_read_at_collection() -> None:
    """A number, a mapping, nothing; what raises or is not finite is counted."""
    name = fresh("callback")
    answer: Any = 5
    otelkit.gauge(name, callback=lambda: answer)
    assert point(name).value == 5
    for answer, kept in ((None, 0), (math.nan, 0), ("x", 0), (True, 1), ({(): 3}, 1), ([1], 0)):
        assert len(points(name)) == kept, answer
    assert _dropped(name) == 3

    labelled = fresh("callback")
    otelkit.gauge(labelled, labels=["disk"], callback=lambda: {"sda": 1, ("sdb",): 2, 3: 3.5, "3": 4, ("a", "b"): 5})
    assert series(labelled) == {(("disk", "sda"),): 1, (("disk", "sdb"),): 2, (("disk", "3"),): 4}
    two = fresh("callback")
    otelkit.gauge(two, labels=["a", "b"], callback=lambda: {("x", 1): 7})
    assert series(two) == {(("a", "x"), ("b", "1")): 7}

    broken = fresh("callback")
    otelkit.gauge(broken, callback=lambda: 1 / 0)
    assert points(broken) == []
    assert total("otelkit.failures", {"otelkit.where": f"callback of {broken}"}) >= 1
    otelkit.gauge(broken, callback=lambda: 2)
    assert point(broken).value == 2


# -- what does not fit, at run time ---------------------------------------------------


def test_mismatches_at_run_time_are_dropped_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Wrong labels and wrong kinds raise nothing; one line a minute says what to do."""
    name = fresh("counter")
    counter = otelkit.counter(name, labels=["source"])
    with caplog.at_level(logging.WARNING, "otelkit"):
        counter.increment()
        counter.increment(1, sourse="web")
        otelkit.increment(name, 1, source="web", more=1)
        otelkit.observe(name, 5, source="web")
        otelkit.set(name, 5, source="web")
        with otelkit.timer(name, source="web"):
            pass
    assert _dropped(name) == 6
    assert points(name) == []
    assert len([record for record in caplog.records if name in record.getMessage()]) == 2
    assert "labels other than declared" in caplog.text


@pytest.mark.parametrize("name", ["1 bad", "", None, 5, [], {}, "a" * 300, "émile"])
def test_bad_names_at_run_time_raise_nothing(name: Any) -> None:
    """What cannot be declared is dropped."""
    otelkit.increment(name)
    otelkit.observe(name, 1)
    otelkit.set(name, 1)
    otelkit.timer(name).start().stop()
    assert default_registry.get("") is None


def test_names_by_first_use_are_declared_with_the_labels_given() -> None:
    """Before any declaration; a later one must agree."""
    name = fresh("late")
    otelkit.increment(name, source="web")
    assert otelkit.counter(name, labels=["source"]) is default_registry.get(name)
    with pytest.raises(DeclarationError, match="labels"):
        otelkit.counter(name, labels=["other"])


# -- what is refused, at set-up --------------------------------------------------------


@pytest.mark.parametrize(
    ("declare", "parts"),
    [
        (lambda n: otelkit.counter("1st"), ("a metric name that starts with a letter", "1st", "counter '1st'")),
        (lambda n: otelkit.counter(""), ("a metric name",)),
        (lambda n: otelkit.counter(5), ("a metric name", "got 5")),  # type: ignore[arg-type]
        (lambda n: otelkit.counter("a b"), ("a metric name",)),
        (lambda n: otelkit.counter("a" * 256), ("at most 254",)),
        (lambda n: otelkit.counter(n, unit=5), ("unit as text, got 5",)),  # type: ignore[arg-type]
        (lambda n: otelkit.counter(n, description=None), ("description as text, got None",)),  # type: ignore[arg-type]
        (lambda n: otelkit.counter(n, labels="web"), ("Write labels=['web']",)),
        (lambda n: otelkit.counter(n, labels=5), ("a list of label names, got 5",)),  # type: ignore[arg-type]
        (lambda n: otelkit.counter(n, labels=["a", "a"]), ("each label once",)),
        (lambda n: otelkit.counter(n, labels=["quantile"]), ("'quantile' is reserved",)),
        (lambda n: otelkit.counter(n, labels=["otel.metric.overflow"]), ("reserved",)),
        (lambda n: otelkit.histogram(n, buckets=[3, 1]), ("ascending order", "[3.0, 1.0]", "+Inf is added")),
        (lambda n: otelkit.histogram(n, buckets=[1, math.inf]), ("all of them finite",)),
        (lambda n: otelkit.histogram(n, buckets=[]), ("at least one bucket bound",)),
        (lambda n: otelkit.timer(n, buckets=["x"]), ("buckets that are numbers",)),
        (lambda n: otelkit.summary(n, quantiles=[1.5]), ("quantiles between 0 and 1",)),
        (lambda n: otelkit.summary(n, quantiles=5), ("quantiles between 0 and 1", "got 5")),  # type: ignore[arg-type]
        (lambda n: otelkit.summary(n, window_s=0), ("window_s as seconds > 0",)),
        (lambda n: otelkit.summary(n, window_s=math.nan), ("window_s as seconds > 0",)),
        (lambda n: otelkit.rate(n, 5), ("a counter, got 5", "otelkit.counter()")),  # type: ignore[arg-type]
        (lambda n: otelkit.rate(n, otelkit.counter(fresh()), window_s=-1), ("window_s",)),
        (lambda n: otelkit.gauge(n, callback=5), ("a function as callback, got 5",)),  # type: ignore[arg-type]
        (lambda n: (otelkit.counter(n), otelkit.gauge(n)), ("kind 'counter'", "as it was declared before")),
        (lambda n: (otelkit.counter(n, unit="s"), otelkit.counter(n, unit="By")), ("unit 's'",)),
        (lambda n: (otelkit.counter(n, labels=["a"]), otelkit.counter(n)), ("labels ['a']",)),
        (lambda n: (otelkit.histogram(n, unit="s"), otelkit.timer(n, labels=[])), ("to stay a Histogram",)),
        (lambda n: (otelkit.histogram(n, buckets=[1]), otelkit.histogram(n, buckets=[2])), ("buckets [1.0]",)),
        (lambda n: (otelkit.summary(n), otelkit.summary(n, window_s=5)), ("over 600 s",)),
        (lambda n: (otelkit.counter(n), otelkit.rate(n, otelkit.counter(n))), ("kind 'counter'",)),
        (
            lambda n: [otelkit.rate(n, otelkit.counter(fresh())) for _ in range(2)],
            ("as it was declared before",),
        ),
    ],
)
def test_bad_declarations_say_expected_got_where_and_remedy(declare: Any, parts: tuple[str, ...]) -> None:
    """At set-up, and early."""
    with pytest.raises(DeclarationError) as caught:
        declare(fresh("bad"))
    text = str(caught.value)
    assert text.startswith("Expected ")
    assert ", got " in text
    assert " - at " in text
    for part in parts:
        assert part in text


def test_labels_that_were_not_declared_are_refused_when_binding() -> None:
    """With the nearest one that was."""
    counter = otelkit.counter(fresh("counter"), labels=["source"])
    with pytest.raises(DeclarationError, match="Did you mean 'source'"):
        counter.labels(sourse="web")
    with pytest.raises(DeclarationError, match="Give each label once"):
        counter.labels()
    with pytest.raises(DeclarationError, match=r"labels \[\]"):
        otelkit.counter(fresh("counter")).labels(source="web")


def test_alike_but_for_the_description_is_one_metric() -> None:
    """The first description stays; there are no two series of one name."""
    name = fresh("described")
    first = otelkit.counter(name, description="One.")
    second = otelkit.counter(name, description="Two.")
    assert first is second
    second.increment()
    assert series(name) == {(): 1}


def test_a_label_called_self_is_a_label() -> None:
    """No parameter of ours stands in its way."""
    counter = otelkit.counter(fresh("counter"), labels=["self", "value"])
    counter.labels(self="a", value="b").increment()
    counter.increment(2, self="a", value="b")
    assert point(counter.metric.name).value == 3


def test_a_registry_of_one_s_own_is_separate() -> None:
    """It lists and describes what was declared in it."""
    registry = Registry()
    counter = otelkit.counter("test.own", labels=["a"], registry=registry)
    counter.labels(a="x").increment()
    assert series("test.own", registry) == {(("a", "x"),): 1}
    assert points("test.own") == []
    assert [metric.name for metric in registry] == ["test.own"]
    assert registry.get("test.own") is counter
    assert registry.describe("test.own")[1] == ("a",)
    with pytest.raises(KeyError, match=r"Did you mean 'test\.own'"):
        registry.describe("test.won")


def test_a_gauge_with_a_callback_has_one_source() -> None:
    """Setting it is dropped and counted, binding it raises, and its series stands once on the page."""
    name = fresh("one_source")
    gauge = otelkit.gauge(name, callback=lambda: 3)
    before = guard.tallies()
    gauge.set(5)
    assert guard.tallies() != before
    with pytest.raises(DeclarationError, match="without a callback"):
        gauge.labels()
    assert [found.value for found in points(name)] == [3]


def test_a_callback_is_held_to_the_limit_of_label_sets() -> None:
    """Label sets beyond the metric's limit are dropped and counted, not remembered."""
    name = fresh("many")
    otelkit.gauge(name, labels=["key"], callback=lambda: {str(key): key for key in range(2_100)})
    assert len(points(name)) == 2_000
    assert any(dict(labels).get("otelkit.metric") == name and items == 100 for _, labels, items in guard.tallies())
