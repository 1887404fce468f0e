# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""otelkit.testing, used as a program's own tests would."""

import math
import subprocess
import sys
import unittest
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otelkit._core._guard import guard
from otelkit._core._snapshot import HistogramPoint, SummaryPoint
from otelkit.instruments.counter import counter
from otelkit.instruments.gauge import gauge, up_down_counter
from otelkit.instruments.histogram import histogram, summary
from otelkit.testing import SequentialIds, capture, strict

orders = counter("testing.orders", labels=["source", "tier"])
wait = histogram("testing.wait", labels=["queue"], unit="s", buckets=[1.0, 2.0])


@pytest.fixture(autouse=True)
def no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test be the first of its process to look for a tracer provider."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", type(trace._TRACER_PROVIDER_SET_ONCE)())


def span(name: str, **options: Any) -> AbstractContextManager[trace.Span]:
    """Start a span as a program would."""
    return trace.get_tracer("shop").start_as_current_span(name, **options)


def test_counters_start_from_zero() -> None:
    """A capture sees what came inside of it, not what was there before, nor what comes after."""
    orders.increment(5, source="web", tier="free")
    with capture() as telemetry:
        assert telemetry.value("testing.orders") == 0
        orders.increment(2, source="web", tier="free")
        assert telemetry.value("testing.orders") == 2
        orders.increment(1, source="web", tier="free")
    orders.increment(7, source="web", tier="free")
    assert telemetry.value("testing.orders") == 3


def test_labels_pick_series() -> None:
    """Labels may be given in part, by keyword or mapping; what has them is added up."""
    with capture() as telemetry:
        orders.increment(1, source="web", tier="free")
        orders.increment(2, source="web", tier="paid")
        orders.increment(4, source="app", tier="paid")
    assert telemetry.value("testing.orders", source="web") == 3
    assert telemetry.value("testing.orders", {"source": "web"}, tier="paid") == 2
    assert telemetry.value("testing.orders", source="phone") == 0
    [point] = telemetry.points("testing.orders", source="app")
    assert point.attributes == {"source": "app", "tier": "paid"}


def test_histograms_count_sum_and_range_are_those_of_the_block() -> None:
    """Extremes too are the block's, however often it is read in between."""
    wait.observe(100.0, queue="a")
    with capture() as telemetry:
        for value in (1.5, 0.5, 3.0):
            wait.observe(value, queue="a")
            telemetry.points("testing.wait")
        wait.observe(1.25, queue="b")
    assert telemetry.value("testing.wait") == 4
    [point] = telemetry.points("testing.wait", queue="a")
    assert isinstance(point, HistogramPoint)
    assert (point.count, point.sum, point.min, point.max) == (3, 5.0, 0.5, 3.0)
    assert list(point.buckets) == [1, 1, 1]


def test_gauges_are_what_they_are() -> None:
    """A gauge has its value, an up-down counter its change; several series of a gauge are no one value."""
    open_orders = up_down_counter("testing.open")
    load = gauge("testing.load", labels=["core"])
    open_orders.increment(10)
    with capture() as telemetry:
        load.set(0.5, core="0")
        load.set(0.75, core="1")
        open_orders.decrement(3)
    assert telemetry.value("testing.load", core="1") == 0.75
    assert telemetry.value("testing.open") == -3
    with pytest.raises(LookupError, match=r"one series of gauge 'testing\.load'"):
        telemetry.value("testing.load")


def test_summaries_count_from_zero() -> None:
    """Count and sum of a summary are the block's."""
    sizes = summary("testing.sizes")
    sizes.observe(100.0)
    with capture() as telemetry:
        assert telemetry.points("testing.sizes") == []
        sizes.observe(3.0)
    [point] = telemetry.points("testing.sizes")
    assert isinstance(point, SummaryPoint)
    assert (point.count, point.sum, telemetry.value("testing.sizes")) == (1, 3.0, 1)


def test_misspelt_name_is_an_error() -> None:
    """A name that nobody declared is no zero; the nearest known one is named."""
    with capture() as telemetry, pytest.raises(KeyError, match=r"testing\.orders"):
        telemetry.value("testing.ordesr")


def test_own_health_is_captured() -> None:
    """What otelkit dropped is a metric like any other, known before the first drop."""
    ours = {"otelkit.metric": "testing.orders"}
    with capture() as telemetry:
        assert telemetry.value("otelkit.dropped", ours) == 0
        orders.increment(math.nan, source="web", tier="free")
    assert telemetry.value("otelkit.dropped", ours) == 1


def test_spans_of_the_block() -> None:
    """Ended spans are there, in the order of their end, those of an inner capture in both."""
    with span("before"):
        pass
    with capture() as outer:
        with span("request"), span("query"):
            pass
        with capture() as inner, span("late"):
            pass
    with span("after"):
        pass
    assert [each.name for each in outer.spans] == ["query", "request", "late"]
    assert [each.name for each in inner.spans] == ["late"]
    query, request, _ = outer.spans
    assert query.parent is not None
    assert query.parent.span_id == request.context.span_id


def test_spans_come_from_the_programs_own_provider() -> None:
    """A provider that is there is used, and told only once, however many captures follow."""
    provider = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    for _ in range(2):
        with capture() as telemetry, span("request"):
            assert trace.get_tracer_provider() is provider
        assert [each.name for each in telemetry.spans] == ["request"]


def test_spans_that_are_not_sampled_are_left_out() -> None:
    """What no exporter would get is not captured either."""
    parent = NonRecordingSpan(SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(0)))
    with (
        capture() as telemetry,
        span("unsampled", context=trace.set_span_in_context(parent)),
    ):
        pass
    assert telemetry.spans == ()


def test_ids_are_the_same_each_time() -> None:
    """A generator of ids begins with 1, and again when told so."""
    ids = SequentialIds()
    assert [ids.generate_trace_id(), ids.generate_trace_id(), ids.generate_span_id()] == [1, 2, 1]
    ids.restart()
    assert ids.generate_trace_id() == 1


def test_strict_raises_and_is_undone() -> None:
    """Within strict() a failure inside otelkit surfaces; afterwards it is counted again."""
    with strict(), pytest.raises(ZeroDivisionError), guard.shield("a callback"):
        raise ZeroDivisionError
    with capture() as telemetry, guard.shield("a callback"):
        raise ZeroDivisionError
    assert telemetry.value("otelkit.failures", {"error.type": "ZeroDivisionError"}) == 1


class WithUnittest(unittest.TestCase):
    """The same works without pytest."""

    def test_capture(self) -> None:
        """enterContext makes it one line."""
        telemetry = self.enterContext(capture())
        orders.increment(source="web", tier="free")
        assert telemetry.value("testing.orders") == 1


USER_TEST = """
from opentelemetry import trace

from otelkit.instruments.counter import counter
from otelkit.instruments.gauge import gauge

orders = counter("shop.orders")


def test_telemetry(telemetry):
    orders.increment(2)
    with trace.get_tracer("shop").start_as_current_span("first"):
        pass
    assert telemetry.value("shop.orders") == 2
    [span] = telemetry.spans
    assert (span.context.trace_id, span.context.span_id) == (1, 1)


def test_telemetry_is_fresh(telemetry):
    assert telemetry.value("shop.orders") == 0
    with trace.get_tracer("shop").start_as_current_span("second"):
        pass
    assert telemetry.spans[0].context.trace_id == 1


def test_strict(strict_guard, telemetry):
    from otelkit._core._guard import guard

    with guard.shield("here"):
        raise ZeroDivisionError("strict")
"""


@pytest.mark.parametrize(
    "conftest", ['pytest_plugins = ["otelkit.testing"]', "from otelkit.testing import strict_guard, telemetry"]
)
def test_fixtures(tmp_path: Path, conftest: str) -> None:
    """Both ways of getting the fixtures work: each test sees its own telemetry, ids from 1, and strictness fails it."""
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_user.py").write_text(USER_TEST)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "2 passed" in run.stdout, run.stdout + run.stderr
    assert "1 failed" in run.stdout
    assert "ZeroDivisionError: strict" in run.stdout
